{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

with

tracked_posts as (
    {{ post_collection_items(
        ref('stg_coffee_staging_post_collection_item'),
        platform='YOUTUBE',
        enabled_only=false,
    ) | indent(4) }}
),

{{ youtube_post_series(fake_events=ref('mart_staging_fake_events'), collection_type='POST') }}
