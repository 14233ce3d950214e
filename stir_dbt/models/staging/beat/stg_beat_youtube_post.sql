{#- final 0: versions that the source has not merged yet collapse in this table, spare the source the work. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(updated_at)',
    order_by='shortcode',
    query_settings={'final': 0},
) }}

select
    id,
    channel_id,
    profile_id,
    shortcode,
    title,
    description,
    thumbnail,
    post_type,
    views,
    likes,
    comments,
    audio_language,
    published_at,
    created_at,
    updated_at
from {{ source('beat_replica', 'youtube_post_simple') }}
where
    shortcode != ''
    and {{ incremental_lookback('updated_at', id_column='id') }}
