{{ config(order_by='channel_id') }}

with stg_beat_youtube_post as (
    select * from {{ ref('stg_beat_youtube_post') }}
),

spoken_videos as (
    select
        channel_id,
        shortcode,
        {{ platform_language('audio_language') }} as spoken_language
    from stg_beat_youtube_post
    -- zxx: no spoken language
    where audio_language != '' and lower(audio_language) != 'zxx' and channel_id != ''
),

language_counts as (
    select
        channel_id,
        spoken_language,
        uniqExact(shortcode) as videos,
        sum(videos) over (partition by channel_id) as channel_videos
    from spoken_videos
    where spoken_language is not null
    group by channel_id, spoken_language
),

final as (
    select
        channel_id,
        toLowCardinality(assumeNotNull(spoken_language)) as language
    from language_counts
    where
        videos >= {{ var('dominant_language_min_posts') }}
        and videos > {{ var('dominant_language_min_share') }} * channel_videos
)

select *
from final
