{#- final 0: versions that the source has not merged yet collapse in this table, spare the source the work.
    max_partitions_per_insert_block 0: a full refresh writes the months of many years at once. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(created_at)',
    order_by='id',
    partition_by='toYYYYMM(created_at)',
    query_settings={'final': 0, 'max_partitions_per_insert_block': 0},
) }}

select
    id,
    entity_type,
    entity_id,
    asset_type,
    platform,
    asset_url,
    original_url,
    created_at,
    updated_at
from {{ source('beat_replica', 'asset_log') }}
where
    id is not null
    and {{ incremental_lookback('created_at', id_column='id') }}
