{{ config(order_by=['month', 'plays_rank', 'short_code']) }}

with mart_instagram_account as (
    select
        ig_id,
        profile_type,
        primary_category
    from {{ ref('mart_instagram_account') }}
    where country = '{{ var("market_country") }}'
),

stg_beat_instagram_post as (
    select * from {{ ref('stg_beat_instagram_post') }}
    where post_type = 'reels' and plays > 0 and likes > 0 and publish_time is not null
),

-- one row per reel: its newest facts and highest counters
reels as (
    select
        shortcode,
        argMax((profile_id, caption, publish_time), updated_at) as facts,
        max(likes) as most_likes,
        max(comments) as most_comments,
        max(views) as most_views,
        max(plays) as most_plays,
        max(reach) as most_reach
    from stg_beat_instagram_post
    where profile_id in (select ig_id from mart_instagram_account)
    group by shortcode
),

ranked_reels as (
    select
        reel.*,
        account.profile_type as account_profile_type,
        account.primary_category as account_category,
        toStartOfMonth(assumeNotNull(reel.facts.3)) as publish_month,
        row_number() over (
            partition by toStartOfMonth(assumeNotNull(reel.facts.3)), account.primary_category
            order by reel.most_plays desc, reel.most_likes desc, reel.shortcode
        ) as plays_rank
    from reels as reel
    inner join mart_instagram_account as account
        on reel.facts.1 = account.ig_id
),

final as (
    select
        facts.1 as profile_id,
        shortcode as short_code,
        facts.2 as title,
        facts.2 as description,
        toLowCardinality('reels') as post_type,
        account_profile_type as profile_type,
        most_likes as likes,
        most_comments as comments,
        most_views as views,
        most_plays as plays,
        toFloat64(most_reach) as reach,
        account_category as category,
        publish_month as month,
        plays_rank
    from ranked_reels
    where plays_rank <= {{ var('trending_max_rank') }}
)

select *
from final
