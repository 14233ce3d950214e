{{ config(order_by='(platform, platform_order_id)') }}

with

own_link_orders as (
    select
        coalesce(toString(platform), 'MISSING') as shop_platform,
        coalesce(platform_order_id, 'MISSING') as order_id,
        store,
        coalesce(utm_params, '') as utm,
        coalesce(order_data, '') as document
    from {{ ref('stg_beat_order') }}
    where JSONExtractString(coalesce(utm_params, ''), 'source') = '{{ var('gcc_utm_source') }}'
    order by updated_at desc nulls last, id desc
    limit 1 by shop_platform, order_id
),

parsed_orders as (
    select
        shop_platform,
        order_id,
        store,
        utm,
        JSONExtractString(document, 'name') as order_name,
        {#- Shops send the price as text or as a number. #}
        trim(both '"' from JSONExtractRaw(document, 'total_price')) as price_text,
        JSONExtractString(document, 'tags') as order_tags,
        {%- for moment in ['created_at', 'updated_at', 'cancelled_at'] %}
        parseDateTimeBestEffortOrNull(JSONExtractString(document, '{{ moment }}'), 'UTC') as order_{{ moment }},
        {%- endfor %}
        JSONExtractString(document, 'fulfillments', 1, 'status') as first_fulfillment,
        parseDateTimeBestEffortOrNull(
            JSONExtractString(document, 'fulfillments', 1, 'created_at'), 'UTC'
        ) as shipped_at,
        JSONLength(document, 'refunds') > 0 as has_refund
    from own_link_orders
),

{#- Deliveries are assumed, not known: so many days after the first fulfilment. #}
delivered_orders as (
    select
        *,
        shipped_at + toIntervalDay({{ var('gcc_delivery_days') }}) as due_at,
        if(due_at <= {{ stir_now() }}, due_at, null) as assumed_delivery_at
    from parsed_orders
),

final as (
    select
        cast(shop_platform as LowCardinality(String)) as platform,
        order_id as platform_order_id,
        store,
        order_name as store_order_id,
        cast(JSONExtractString(utm, 'source') as LowCardinality(String)) as utm_source,
        JSONExtractString(utm, 'medium') as utm_medium,
        JSONExtractString(utm, 'campaign') as utm_campaign,
        price_text as total_price,
        toDecimal64OrNull(price_text, 2) as total_price_amount,
        cast(first_fulfillment as LowCardinality(String)) as fulfillment_status,
        order_tags as tags,
        order_created_at as created_at,
        order_updated_at as updated_at,
        order_cancelled_at as cancelled_at,
        toUInt8(has_refund) as is_returned,
        shipped_at as confirmed_at,
        assumed_delivery_at as delivered_at,
        cast(multiIf(
            order_cancelled_at is not null, 'CANCELLED',
            has_refund, 'RETURNED',
            first_fulfillment = 'success' and assumed_delivery_at is null, 'CONFIRMED',
            first_fulfillment = 'success', 'DELIVERED',
            'PENDING'
        ) as LowCardinality(String)) as status
    from delivered_orders
)

select *
from final
