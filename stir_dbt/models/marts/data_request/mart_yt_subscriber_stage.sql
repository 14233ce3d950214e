{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(event_timestamp)',
    order_by='(subscriber_id, channel_id)',
) }}

{{ yt_subscribers(events=source('_stage_e', 'yt_profile_relationship_log_events')) }}
