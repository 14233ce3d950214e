{{ config(order_by='short_code') }}

with

{#- The cheap text test spares the JSON parser the events without a place. #}
events as (
    select
        coalesce(nullIf(shortcode, ''), 'MISSING') as post_code,
        event_timestamp,
        insert_timestamp,
        source,
        coalesce(profile_id, '') as author_id,
        coalesce(handle, '') as author_handle,
        JSONExtract(
            dimensions, 'Tuple(location String, location_lat String, location_long String)'
        ) as place
    from {{ source('_e', 'post_log_events') }}
    where source != 'graphapi'
        and dimensions like '%"location"%'
),

newest_events as (
    select
        post_code,
        argMax(
            (source, author_id, author_handle, place), (event_timestamp, insert_timestamp, place)
        ) as newest
    from events
    where tupleElement(place, 'location') not in ('', '[]', 'null')
    group by post_code
),

final as (
    select
        cast(tupleElement(newest, 1) as LowCardinality(String)) as source,
        post_code as short_code,
        tupleElement(newest, 2) as profile_id,
        tupleElement(newest, 3) as handle,
        tupleElement(tupleElement(newest, 4), 'location') as location,
        tupleElement(tupleElement(newest, 4), 'location_lat') as location_lat,
        tupleElement(tupleElement(newest, 4), 'location_long') as location_long,
        toFloat64OrNull(tupleElement(tupleElement(newest, 4), 'location_lat')) as latitude,
        toFloat64OrNull(tupleElement(tupleElement(newest, 4), 'location_long')) as longitude
    from newest_events
)

select *
from final
