{{ config(order_by=['priority', 'handle']) }}
{%- set now = stir_now() %}

with mart_youtube_leaderboard as (
    select * from {{ ref('mart_youtube_leaderboard') }}
),

stg_beat_scrape_request_log as (
    select * from {{ ref('stg_beat_scrape_request_log') }}
    where {{ is_counted_attempt() }}
),

stg_beat_youtube_account as (
    select * from {{ ref('stg_beat_youtube_account') }}
),

stg_coffee_profile_collection as (
    select * from {{ ref('stg_coffee_profile_collection') }}
),

stg_coffee_profile_collection_item as (
    select * from {{ ref('stg_coffee_profile_collection_item') }}
),

stg_coffee_view_youtube_account_lite as (
    select * from {{ ref('stg_coffee_view_youtube_account_lite') }}
),

channel_attempts as (
    select
        attempted_channel,
        max(scraped_at) as last_attempt
    from stg_beat_scrape_request_log
    array join arrayMap(
        item -> trimBoth(item, ' "\''), JSONExtractArrayRaw(coalesce(params, ''), 'channel_ids')
    ) as attempted_channel
    where flow = 'refresh_yt_profiles' and attempted_channel != ''
    group by attempted_channel
),

-- both flows fetch the videos of a channel
video_attempts as (
    select
        JSONExtractString(coalesce(params, ''), 'channel_id') as attempted_channel,
        max(scraped_at) as last_videos_attempt
    from stg_beat_scrape_request_log
    where
        flow in ('refresh_yt_posts_by_channel_id', 'refresh_yt_posts_by_playlist_id')
        and attempted_channel != ''
    group by attempted_channel
),

collection_channels as (
    select
        coalesce(account.channel_id, nullIf(item.profile_social_id, '')) as channel_id,
        collection.source as collection_source
    from stg_coffee_profile_collection_item as item
    inner join stg_coffee_profile_collection as collection
        on item.profile_collection_id = collection.id
    left join stg_coffee_view_youtube_account_lite as account
        on item.platform_account_code = account.id
    where item.platform = 'YOUTUBE' and collection.source in ('{{ var("tracker_collection_source") }}', '{{ var("customer_list_source") }}')
),

candidates as (
    select channel_id, 'saas_collection' as source, 1 as priority, 1 as frequency
    from collection_channels
    where collection_source = '{{ var("tracker_collection_source") }}'
    union all
    select channel_id, 'saas_profile_collection' as source, 2 as priority, 1 as frequency
    from collection_channels
    where collection_source = '{{ var("customer_list_source") }}'
    union all
    select platform_id as channel_id, 'leaderboard' as source, 3 as priority, 1 as frequency
    from mart_youtube_leaderboard
    where
        month >= toStartOfMonth(toDate({{ now }})) - interval {{ var('tracked_leaderboard_months') }} month
        and least(
            {%- for metric in ['followers', 'followers_change', 'views'] %}
            {%- set metric_loop = loop %}
            {%- for scope in ['', '_by_cat', '_by_lang', '_by_cat_lang'] %}
            {{ metric }}_rank{{ scope }}{% if not (loop.last and metric_loop.last) %},{% endif %}
            {%- endfor %}
            {%- endfor %}
        ) < {{ var('tracked_rank_below') }}
    union all
    select channel_id, 'rest_beat_10k' as source, 4 as priority, 1 as frequency
    from stg_beat_youtube_account
    where subscribers > {{ var('tracked_channel_min_subscribers') }}
    union all
    select channel_id, 'rest_beat' as source, 5 as priority, 7 as frequency
    from stg_beat_youtube_account
),

tracked_channels as (
    select
        channel_id as tracked_channel,
        argMin(source, priority) as first_source,
        min(priority) as first_priority,
        min(frequency) as days
    from candidates
    where channel_id != ''
    group by channel_id
),

final as (
    select
        assumeNotNull(tracked.tracked_channel) as handle,
        toLowCardinality(tracked.first_source) as source,
        toUInt8(tracked.first_priority) as priority,
        toUInt8(tracked.days) as frequency,
        channel.last_attempt as last_attempt,
        video.last_videos_attempt as last_videos_attempt,
        coalesce(channel.last_attempt + toIntervalDay(tracked.days), {{ now }}) as next_attempt,
        coalesce(video.last_videos_attempt + toIntervalDay(tracked.days), {{ now }}) as next_videos_attempt
    from tracked_channels as tracked
    left join channel_attempts as channel
        on tracked.tracked_channel = channel.attempted_channel
    left join video_attempts as video
        on tracked.tracked_channel = video.attempted_channel
)

select *
from final
