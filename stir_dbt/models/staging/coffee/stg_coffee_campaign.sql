{{ config(order_by='id') }}

with campaign_rows as (
    select *
    from {{ source('coffee_replica', 'campaign') }}
    where id is not null
    order by updated_at desc
    limit 1 by id
),

campaigns as (
    select
        row.id,
        coalesce(row.name, '') as name,
        toLowCardinality(coalesce(row.brand, '')) as brand,
        row.brand_id,
        row.partner_id,
        toLowCardinality(coalesce(row.campaign_type, '')) as campaign_type,
        row.objective,
        toLowCardinality(coalesce(nullIf(upper(trim(row.status)), ''), 'DRAFT')) as status,
        toLowCardinality(coalesce(nullIf(upper(trim(row.platform)), ''), 'INSTAGRAM')) as platform,
        row.description,
        {{ json_array_of_names('row.hashtags', '#') }} as hashtags,
        {{ json_array_of_names('row.mentions', '@') }} as mentions,
        coalesce(row.budget, 0) as budget,
        toLowCardinality(coalesce(row.currency, '')) as currency,
        row.slots_count,
        row.post_collection_id,
        row.profile_collection_id,
        -- Swapped when entered the wrong way round; least and greatest alone would lose an open end.
        if(row.end_date < row.start_date, row.end_date, row.start_date) as first_day,
        if(row.end_date < row.start_date, row.start_date, row.end_date) as last_day,
        toUInt8(coalesce(row.enabled, true)) as enabled,
        row.created_at,
        row.updated_at
    from campaign_rows as row
)

select
    id,
    name,
    brand,
    brand_id,
    partner_id,
    campaign_type,
    objective,
    status,
    platform,
    description,
    hashtags,
    mentions,
    budget,
    currency,
    slots_count,
    post_collection_id,
    profile_collection_id,
    first_day as start_date,
    last_day as end_date,
    toNullable(toInt32(last_day - first_day + 1)) as duration_days,
    toUInt8(
        status = 'ACTIVE'
        and coalesce(first_day <= toDate({{ stir_now() }}), false)
        and coalesce(last_day >= toDate({{ stir_now() }}), true)
    ) as is_live,
    enabled,
    created_at,
    updated_at
from campaigns
