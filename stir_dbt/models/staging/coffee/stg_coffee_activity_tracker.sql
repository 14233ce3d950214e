{{ config(order_by='id') }}

with activity_tracker_rows as (
    select
        src.id,
        src.partner_id,
        src.account_id,
        src.activity_type,
        src.activity_id,
        src.meta,
        src.enabled,
        src.created_at,
        src.updated_at
    from {{ source('coffee_replica', 'activity_tracker') }} as src
    where src.id is not null
)

select *
from activity_tracker_rows
order by updated_at desc
limit 1 by id
