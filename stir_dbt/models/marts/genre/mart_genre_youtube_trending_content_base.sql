{{ config(order_by=['month', 'views_rank', 'short_code']) }}

with mart_youtube_account as (
    select
        channel_id,
        profile_type,
        category
    from {{ ref('mart_youtube_account') }}
    where country = '{{ var("market_country") }}'
),

stg_beat_youtube_post as (
    select * from {{ ref('stg_beat_youtube_post') }}
    where views > 0 and published_at is not null
),

-- one row per video: its newest facts and highest counters
videos as (
    select
        shortcode,
        argMax((channel_id, title, description, post_type, published_at), updated_at) as facts,
        max(likes) as most_likes,
        max(comments) as most_comments,
        max(views) as most_views
    from stg_beat_youtube_post
    where channel_id in (select channel_id from mart_youtube_account)
    group by shortcode
),

ranked_videos as (
    select
        video.*,
        account.profile_type as account_profile_type,
        account.category as account_category,
        toStartOfMonth(assumeNotNull(video.facts.5)) as publish_month,
        row_number() over (
            partition by toStartOfMonth(assumeNotNull(video.facts.5)), account.category
            order by video.most_views desc, video.most_likes desc, video.shortcode
        ) as views_rank
    from videos as video
    inner join mart_youtube_account as account
        on video.facts.1 = account.channel_id
),

final as (
    select
        facts.1 as profile_id,
        shortcode as short_code,
        facts.2 as title,
        facts.3 as description,
        facts.4 as post_type,
        account_profile_type as profile_type,
        most_likes as likes,
        most_comments as comments,
        most_views as views,
        account_category as category,
        publish_month as month,
        views_rank,
        toUInt8(0) as plays_rank
    from ranked_videos
    where views_rank <= {{ var('trending_max_rank') }}
)

select *
from final
