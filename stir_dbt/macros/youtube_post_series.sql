{% macro youtube_post_series(fake_events, collection_type, tail_days=none) -%}
{#-
    Daily series of YouTube videos. Follows a CTE `tracked_posts` (see collection_tracking.sql) in the model file.

    Views are the only reach a video has; Instagram's counters, real reach, clicks and orders are 0.
    tail_days: see daily_post_series().
-#}
accepted_events as (
    select
        assumeNotNull(shortcode) as shortcode,
        event_timestamp,
        {{ parsed_counters('metrics', ['likes', 'comments', 'view_count', 'play_count']) }} as parsed,
        {{ counter('parsed', 'likes') }} as likes,
        {{ counter('parsed', 'comments') }} as comments,
        {{ youtube_views('parsed') | indent(8) }} as views
    from {{ source('_e', 'post_log_events') }}
    where {{ accepted_only('YOUTUBE', fake_events) }}
),

{{ daily_post_series(['likes', 'comments', 'views'], tail_days) }},

videos as (
    select
        shortcode,
        argMax(
            (
                channel_id,
                coalesce(description, ''),
                coalesce(thumbnail, ''),
                published_at
            ),
            (updated_at, id)
        ) as newest,
        tupleElement(newest, 1) as channel,
        tupleElement(newest, 2) as description_text,
        tupleElement(newest, 3) as picture_url,
        tupleElement(newest, 4) as publish_time
    from {{ ref('stg_beat_youtube_post') }}
    where shortcode in (select short_code from tracked_posts)
    group by shortcode
),

channels as (
    select channel_id, custom_url, title
    from {{ ref('stg_beat_youtube_account') }}
),

final as (
    select
        'YOUTUBE' as platform,
        s.collection_id as collection_id,
        '{{ collection_type }}' as collection_type,
        s.shortcode as post_short_code,
        s.stats_date as stats_date,
        'video' as post_type,
        s.post_collection_item_id as post_collection_item_id,
        coalesce(v.description_text, '') as post_title,
        concat('{{ var('youtube_video_url') }}', s.shortcode) as post_link,
        {#- The platform lists the smallest picture; the larger one lies beside it. #}
        replaceRegexpOne(coalesce(v.picture_url, ''), '/default(_live)?\\.jpg', '/hqdefault\\1.jpg') as post_thumbnail,
        {{ hashtags_of('v.description_text') }} as hashtags,
        {{ keywords_of('v.description_text') }} as keywords,
        v.publish_time as published_at,
        coalesce(v.channel, '') as profile_social_id,
        coalesce(v.channel, '') as profile_handle,
        coalesce(v.channel, '') as post_handle,
        coalesce(nullIf(c.custom_url, ''), nullIf(c.title, ''), 'MISSING') as profile_name,
        0 as followers,
        toFloat64(s.views) as views,
        s.likes as likes,
        s.comments as comments,
        {%- for name in instagram_counters() if name not in ['likes', 'comments'] %}
        0 as {{ name }},
        {%- endfor %}
        toFloat64(s.views) as reach,
        toFloat64(s.views) as impressions,
        s.likes + s.comments as total_engagement,
        {{ engagement_rate('s.likes + s.comments', 's.views', var('engagement_rate_ceiling')) }} as engagement_rate,
        0 as link_clicks,
        {%- for name, _ in order_measures() %}
        0 as {{ name }},
        {%- endfor %}
        s.is_filled as is_filled,
        s.last_event_at as updated_at
    from series_days as s
    left join videos as v
        on s.shortcode = v.shortcode
    left join channels as c
        on v.channel = c.channel_id
)

{{ select_collection_post_ts('final') }}
{%- endmacro %}
