{{ config(order_by='id') }}

with view_campaign_profile_lite_rows as (
    select
        src.id,
        src.platform,
        src.platform_account_id,
        src.gcc_user_account_id,
        src.created_at,
        src.updated_at
    from {{ source('coffee_replica', 'view_campaign_profile_lite') }} as src
    where src.id is not null
)

select *
from view_campaign_profile_lite_rows
order by updated_at desc
limit 1 by id
