{#- final 0: versions that the source has not merged yet collapse in this table, spare the source the work.
    max_partitions_per_insert_block 0: a full refresh writes the months of many years at once. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(state_version)',
    order_by='id',
    partition_by='toYYYYMM(created_at)',
    query_settings={'final': 0, 'max_partitions_per_insert_block': 0},
) }}

select
    id,
    platform,
    flow,
    status,
    params,
    data,
    source,
    priority,
    idempotency_key,
    created_at,
    scraped_at,
    -- Orders the states of a job: newest finish (or request) time first, then how final the status is.
    toUInt64(toUnixTimestamp(coalesce(scraped_at, created_at))) * 4
        + transform(status, ['PROCESSING', 'FAILED', 'COMPLETE'], [1, 2, 3], 0) as state_version
from {{ source('beat_replica', 'recent_scrape_request_log') }}
where
    id is not null
    and {{ incremental_lookback(['created_at', 'scraped_at'], id_column='id') }}
