{#- final 0: versions that the source has not merged yet collapse in this table, spare the source the work.
    max_partitions_per_insert_block 0: a full refresh writes the months of many years at once. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(timestamp)',
    order_by='id',
    partition_by='toYYYYMM(timestamp)',
    query_settings={'final': 0, 'max_partitions_per_insert_block': 0},
) }}

select
    id,
    platform,
    platform_post_id,
    profile_id,
    metrics,
    dimensions,
    source,
    timestamp
from {{ source('beat_replica', 'post_log') }}
where
    id is not null
    and {{ incremental_lookback('timestamp', id_column='id') }}
