{{ config(order_by='id') }}

{%- set kept_keys = 'Tuple(name Nullable(String), total_price Nullable(String), tags Nullable(String), '
    ~ 'created_at Nullable(String), updated_at Nullable(String), cancelled_at Nullable(String), '
    ~ 'fulfillments Array(Tuple(status Nullable(String), created_at Nullable(String))), '
    ~ 'refunds Array(Tuple(id Nullable(String), created_at Nullable(String))))' %}

with order_rows as (
    select
        src.id,
        src.platform,
        src.store,
        src.platform_order_id,
        src.utm_params,
        if(
            src.order_data is null,
            null,
            toJSONString(JSONExtract(assumeNotNull(src.order_data), '{{ kept_keys }}'))
        ) as order_data,
        src.created_at,
        src.updated_at
    from {{ source('beat_replica', 'order') }} as src
    where src.id is not null
)

select *
from order_rows
order by updated_at desc, id desc
limit 1 by coalesce(platform, ''), coalesce(platform_order_id, concat('row ', toString(id)))
