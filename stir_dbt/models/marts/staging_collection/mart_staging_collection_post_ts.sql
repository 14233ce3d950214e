{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

{{ stacked_collection_post_ts([
    ref('mart_staging_profile_collection_post_ts'),
    ref('mart_staging_post_collection_post_ts'),
]) }}
