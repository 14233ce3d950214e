{{ config(order_by='id') }}

with profile_collection_rows as (
    select
        src.id,
        src.share_id,
        src.name,
        src.partner_id,
        src.created_at,
        src.source
    from {{ source('coffee_replica', 'profile_collection') }} as src
    where src.id is not null
)

select *
from profile_collection_rows
order by created_at desc
limit 1 by id
