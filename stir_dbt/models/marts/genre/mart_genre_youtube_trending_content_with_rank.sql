{{ config(order_by=['month', 'views_rank', 'short_code']) }}

with mart_genre_youtube_trending_content_base as (
    select * from {{ ref('mart_genre_youtube_trending_content_base') }}
),

mart_youtube_account as (
    select
        channel_id,
        language
    from {{ ref('mart_youtube_account') }}
),

stg_beat_youtube_post as (
    select * from {{ ref('stg_beat_youtube_post') }}
    where shortcode in (select short_code from mart_genre_youtube_trending_content_base)
),

-- the default-size picture (also of a live stream) -> the high-quality one
post_facts as (
    select
        shortcode,
        argMax(
            (published_at, replaceRegexpOne(thumbnail, '/default(_live)?\\.jpg', '/hqdefault\\1.jpg')), updated_at
        ) as facts
    from stg_beat_youtube_post
    group by shortcode
),

final as (
    select
        toLowCardinality('YOUTUBE') as platform,
        trending.month as month,
        trending.profile_id as profile_id,
        trending.short_code as short_code,
        trending.title as title,
        trending.description as description,
        trending.views as views,
        trending.likes as likes,
        trending.comments as comments,
        coalesce(trending.likes, 0) + coalesce(trending.comments, 0) as engagement,
        {{ ratio(
            '(coalesce(trending.likes, 0) + coalesce(trending.comments, 0))', 'trending.views'
        ) }} as engagement_rate,
        toNullable(toInt64(0)) as plays,
        toUInt64(trending.views_rank) as views_rank,
        toUInt64(0) as plays_rank,
        toLowCardinality(toNullable(toString(trending.post_type))) as post_type,
        toLowCardinality(toNullable(toString(trending.profile_type))) as profile_type,
        concat(
            if(
                coalesce(lower(trending.post_type), '') in ('short', 'shorts'),
                '{{ var("youtube_shorts_url") }}', '{{ var("youtube_video_url") }}'
            ),
            trending.short_code
        ) as post_url,
        fact.facts.2 as thumbnail_url,
        toLowCardinality(nullIf(toString(account.language), '')) as language,
        toLowCardinality(nullIf(toString(trending.category), '')) as category,
        fact.facts.1 as publish_time
    from mart_genre_youtube_trending_content_base as trending
    left join post_facts as fact
        on trending.short_code = fact.shortcode
    left join mart_youtube_account as account
        on trending.profile_id = account.channel_id
)

select *
from final
