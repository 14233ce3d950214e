{{ config(order_by=['month', 'plays_rank', 'short_code']) }}

with mart_genre_instagram_trending_content_base as (
    select * from {{ ref('mart_genre_instagram_trending_content_base') }}
),

mart_instagram_account as (
    select
        ig_id,
        followers,
        primary_language
    from {{ ref('mart_instagram_account') }}
    where followers > 0
),

stg_beat_asset_log as (
    select * from {{ ref('stg_beat_asset_log') }}
    where entity_id in (select short_code from mart_genre_instagram_trending_content_base)
),

stg_beat_instagram_post as (
    select * from {{ ref('stg_beat_instagram_post') }}
    where shortcode in (select short_code from mart_genre_instagram_trending_content_base)
),

post_pictures as (
    {{ newest_asset_url('stg_beat_asset_log', 'POST') }}
),

post_facts as (
    select
        shortcode,
        argMax((publish_time, coalesce(nullIf(thumbnail_url, ''), nullIf(display_url, ''))), updated_at) as facts
    from stg_beat_instagram_post
    group by shortcode
),

reached_posts as (
    select
        trending.*,
        account.followers as followers,
        account.primary_language as primary_language,
        fact.facts.1 as publish_time,
        coalesce(
            concat('{{ var("cdn_base_url") }}', nullIf(picture.asset_url, '')), fact.facts.2
        ) as thumbnail_url,
        toInt64(round(if(
            trending.reach > 0,
            assumeNotNull(trending.reach),
            {{ estimated_reach('trending.post_type', 'trending.likes', 'trending.plays', 'account.followers') }}
        ))) as best_reach
    from mart_genre_instagram_trending_content_base as trending
    inner join mart_instagram_account as account
        on trending.profile_id = account.ig_id
    left join post_facts as fact
        on trending.short_code = fact.shortcode
    left join post_pictures as picture
        on trending.short_code = picture.entity_id
),

final as (
    select
        toLowCardinality('INSTAGRAM') as platform,
        post.month as month,
        post.profile_id as profile_id,
        post.short_code as short_code,
        post.title as title,
        post.description as description,
        toNullable(post.best_reach) as views,
        post.likes as likes,
        post.comments as comments,
        coalesce(post.likes, 0) + coalesce(post.comments, 0) as engagement,
        {{ ratio('(coalesce(post.likes, 0) + coalesce(post.comments, 0))', 'post.best_reach') }} as engagement_rate,
        post.plays as plays,
        toUInt64(0) as views_rank,
        toUInt64(post.plays_rank) as plays_rank,
        toLowCardinality(toNullable(toString(post.post_type))) as post_type,
        toLowCardinality(toNullable(toString(post.profile_type))) as profile_type,
        concat('{{ var("instagram_reel_url") }}', post.short_code) as post_url,
        post.thumbnail_url as thumbnail_url,
        toLowCardinality(nullIf(toString(post.primary_language), '')) as language,
        toLowCardinality(nullIf(toString(post.category), '')) as category,
        post.publish_time as publish_time,
        post.best_reach as reach
    from reached_posts as post
)

select *
from final
