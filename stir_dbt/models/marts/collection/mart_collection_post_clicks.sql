{{ config(order_by='(post_collection_id, short_code)') }}

with

typed_clicks as (
    select
        coalesce(nullIf(trim(handle), ''), 'MISSING') as author_handle,
        trim(short_code) as post_code,
        post_link as link,
        toUInt64OrZero(trim(Clicks)) as click_count,
        coalesce(nullIf(trim(post_collection_id), ''), 'MISSING') as collection
    from {{ source('s3', 'campaign_post_links_clicks') }}
),

final as (
    select
        argMax(author_handle, (click_count, author_handle)) as handle,
        post_code as short_code,
        argMax(link, (click_count, author_handle)) as post_link,
        max(click_count) as clicks,
        collection as post_collection_id
    from typed_clicks
    where post_code != ''
    group by short_code, post_collection_id
)

select *
from final
