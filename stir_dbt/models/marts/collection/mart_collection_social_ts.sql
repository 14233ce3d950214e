{{ config(order_by='(collection_id, stats_date)') }}

with

post_days as (
    select
        platform,
        collection_id,
        collection_type,
        stats_date,
        views,
        likes,
        comments,
        impressions,
        reach,
        total_engagement
    from {{ ref('mart_collection_post_ts') }}
),

final as (
    select
        d.platform as platform,
        d.collection_id as collection_id,
        d.collection_type as collection_type,
        d.stats_date as stats_date,
        -- One row a post and day, which is tested upstream.
        count() as posts,
        sum(d.views) as views,
        sum(d.likes) as likes,
        sum(d.comments) as comments,
        sum(d.impressions) as impressions,
        sum(d.reach) as reach,
        sum(d.total_engagement) as total_engagement
    from post_days as d
    group by platform, collection_id, collection_type, stats_date
)

select *
from final
