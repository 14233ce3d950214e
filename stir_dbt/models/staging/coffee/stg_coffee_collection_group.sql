{{ config(order_by='id') }}

with collection_group_rows as (
    select
        src.id,
        src.name,
        src.objective,
        src.partner_id,
        src.share_id,
        src.collection_ids,
        src.collection_type,
        src.source,
        src.enabled,
        src.created_at,
        src.updated_at
    from {{ source('coffee_replica', 'collection_group') }} as src
    where src.id is not null
)

select *
from collection_group_rows
order by updated_at desc
limit 1 by id
