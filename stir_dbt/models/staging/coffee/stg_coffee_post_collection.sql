{{ config(order_by='id') }}

with post_collection_rows as (
    select
        src.id,
        src.name,
        src.partner_id,
        src.source,
        src.share_id,
        src.enabled,
        src.created_at,
        src.updated_at
    from {{ source('coffee_replica', 'post_collection') }} as src
    where src.id is not null
)

select *
from post_collection_rows
order by updated_at desc
limit 1 by id
