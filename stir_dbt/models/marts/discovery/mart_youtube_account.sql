{{ config(order_by='channelid') }}
{%- set graded = youtube_graded_metrics() %}
{%- set rated = ['followers_growth30d', 'views_30d', 'uploads_30d'] %}

with mart_linked_socials as (
    select
        channel_id as linked_channel_id,
        handle as linked_handle
    from {{ ref('mart_linked_socials') }}
),

mart_manual_data_yt as (
    select * from {{ ref('mart_manual_data_yt') }}
),

mart_primary_group_metrics as (
    select
        * except (group_key),
        group_key as peer_group_key
    from {{ ref('mart_primary_group_metrics') }}
),

mart_youtube_account_language as (
    select
        channel_id as spoken_channel_id,
        language as spoken_language
    from {{ ref('mart_youtube_account_language') }}
),

mart_yt_growth as (
    select * from {{ ref('mart_yt_growth') }}
),

social_profiles as (
    select * from {{ source('vidooly', 'social_profiles_new_20230217') }}
),

stg_beat_youtube_account as (
    select * from {{ ref('stg_beat_youtube_account') }}
),

stg_beat_youtube_post as (
    select * from {{ ref('stg_beat_youtube_post') }}
),

stg_coffee_post_collection_item as (
    select * from {{ ref('stg_coffee_post_collection_item') }}
    where platform = 'YOUTUBE' and enabled
),

stg_coffee_profile_collection as (
    select * from {{ ref('stg_coffee_profile_collection') }}
    where source = '{{ var("tracker_collection_source") }}'
),

stg_coffee_profile_collection_item as (
    select * from {{ ref('stg_coffee_profile_collection_item') }}
    where platform = 'YOUTUBE' and enabled
),

vidooly_categories as (
    select * from {{ source('vidooly', 'category') }}
),

vidooly_youtube_categories as (
    select * from {{ source('vidooly', 'youtube_category') }}
),

vidooly_youtube_channels as (
    select * from {{ source('vidooly', 'youtube_channels') }}
),

{{ youtube_channels() }},

{{ youtube_growth() }},

{{ youtube_measures() }},

collection_channels as (
    select channel_id
    from stg_beat_youtube_post
    where shortcode in (select short_code from stg_coffee_post_collection_item where short_code != '')
    union distinct
    select coalesce(profile_social_id, '') as channel_id
    from stg_coffee_profile_collection_item
    where profile_collection_id in (select id from stg_coffee_profile_collection)
),

described_channels as (
    select
        channel.*,
        if(
            channel.primary_group in (select peer_group_key from mart_primary_group_metrics),
            channel.primary_group, channel.secondary_group
        ) as group_key,
        coalesce(
            {{ platform_language('channel.scraper_language') }}, channel.manual_language, spoken.spoken_language,
            {{ platform_language('channel.listed_language') }}
        ) as language,
        coalesce(channel.scraper_account_type, channel.manual_profile_type, 'CREATOR') as profile_type,
        coalesce(channel.listed_email, channel.manual_email) as email,
        linked.linked_handle as linked_instagram_handle,
        channel.channel_id in (select channel_id from collection_channels) as is_collection_profile,
        rank() over (partition by channel.country order by channel.followers desc) as country_rank,
        rank() over (partition by channel.country, channel.category order by channel.followers desc) as category_rank
    from youtube_profiles as channel
    left join mart_youtube_account_language as spoken
        on channel.channel_id = spoken.spoken_channel_id
    left join mart_linked_socials as linked
        on channel.channel_id = linked.linked_channel_id
),

graded_channels as (
    select
        channel.*,
        {%- for metric in graded %}
        {{ percentile_grade(
            'channel.' ~ metric, 'peers.p40_' ~ metric, 'peers.p60_' ~ metric, 'peers.p75_' ~ metric,
            'peers.p90_' ~ metric
        ) }} as {{ metric }}_grade,
        peers.group_avg_{{ metric }} as group_avg_{{ metric }},
        {%- endfor %}
        {%- for metric in rated %}
        {{ grade_rating(metric ~ '_grade') }} as {{ metric }}_rating,
        {%- endfor %}
        {{ channel_rating('followers_growth30d_rating', 'views_30d_rating', 'uploads_30d_rating') }} as weighted_rating
    from described_channels as channel
    left join mart_primary_group_metrics as peers
        on channel.group_key = peers.peer_group_key
),

final as (
    select
        -- ids and texts
        channel.channel_id as channelid,
        channel.channel_id as channel_id,
        channel.custom_url as username,
        channel.title as name,
        channel.title as title,
        channel.description as description,
        channel.description as bio,
        replaceRegexpOne(channel.thumbnail, '=s88([^0-9]|$)', '=s512\\1') as profile_pic_url,
        profile_pic_url as thumbnail,
        channel.linked_instagram_handle as linked_instagram_handle,
        splitByWhitespace(concat(
            lower(coalesce(channel.title, '')), ' ', lower(coalesce(channel.custom_url, ''))
        )) as keywords,
        concat(
            lower(coalesce(channel.title, '')), ' ', lower(coalesce(channel.custom_url, '')), ' ', channel.channel_id
        ) as search_phrase,

        -- attributes
        toLowCardinality(channel.country) as country,
        toLowCardinality(channel.yt_category) as yt_category,
        toLowCardinality(channel.category) as category,
        toLowCardinality(channel.language) as language,
        toLowCardinality(channel.gender) as gender,
        channel.city as city,
        channel.state as state,
        channel.email as email,
        {{ phone_hash('channel.listed_phone') }} as phone,
        {{ phone_mask('channel.listed_phone') }} as phone_masked,
        [channel.category] as categories,
        [channel.language] as languages,
        toLowCardinality(channel.follower_group) as follower_group,
        toLowCardinality({{ creator_label('channel.followers') }}) as label,
        toLowCardinality(channel.profile_type) as profile_type,
        '' as dob,
        '' as latest_video_publish_time,
        toUInt8(channel.is_collection_profile) as is_collection_profile,

        -- size and growth
        channel.followers as followers,
        channel.uploads as uploads,
        channel.uploads as uploads_count,
        channel.post_count as post_count,
        channel.views as views,
        channel.views as views_count,
        channel.avg_views as avg_views,
        channel.avg_views as avg_video_views,
        channel.video_reach as video_reach,
        channel.followers_growth7d as followers_growth7d,
        channel.followers_growth30d as followers_growth30d,
        channel.followers_growth1y as followers_growth1y,
        channel.avg_posts_per_week as avg_posts_per_week,
        channel.views_7d as views_7d,
        channel.uploads_30d as uploads_30d,
        channel.views_30d as views_30d,
        channel.views_1y as views_1y,
        channel.views_30d as video_views_last30,
        channel.views_30d as avg_video_views_30d,

        -- recent videos
        channel.avg_likes as avg_likes,
        channel.avg_comments as avg_comments,
        channel.comments_rate as comments_rate,
        round(channel.comments_rate) as comment_rate_percentage,
        channel.engagement_rate as engagement_rate,
        channel.likes_to_comment_ratio as likes_to_comment_ratio,
        channel.likes_spread as likes_spread,
        channel.shorts_reach as shorts_reach,

        -- kept for the contract: no data for them
        {%- for constant in [
            'is_blacklisted', 'comments', 'authentic_engagement', 'est_reach', 'est_impressions', 'shorts_impressions',
            'video_impressions', 'reaction_rate', 'followers_growth90d', 'audience_reachability', 'audience_quality',
            'audience_authencity', 'cpm', 'reels_reach', 'story_reach', 'image_reach', 'avg_shorts_views_30d',
            'reels_impressions', 'image_impressions',
        ] %}
        toUInt8(0) as {{ constant }},
        {%- endfor %}

        -- ranks, grades and quality
        channel.country_rank as country_rank,
        channel.category_rank as category_rank,
        channel.primary_group as primary_group,
        channel.secondary_group as secondary_group,
        channel.group_key as group_key,
        {%- for metric in graded %}
        toLowCardinality(channel.{{ metric }}_grade) as {{ metric }}_grade,
        {%- endfor %}
        {%- for metric in graded %}
        toNullable(toFloat64(channel.{{ metric }})) as {{ metric }}_score,
        channel.group_avg_{{ metric }} as group_avg_{{ metric }},
        {%- endfor %}
        {%- for metric in rated %}
        toUInt8(channel.{{ metric }}_rating) as {{ metric }}_rating,
        {%- endfor %}
        19 * channel.weighted_rating as channel_quality_score,
        toLowCardinality({{ rating_grade('channel.weighted_rating') }}) as channel_quality_grade,
        channel.updated_at as updated_at
    from graded_channels as channel
)

select *
from final
