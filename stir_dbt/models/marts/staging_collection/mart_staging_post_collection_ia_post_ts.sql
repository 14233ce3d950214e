{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

with

tracked_posts as (
    {{ post_collection_items(
        ref('stg_coffee_staging_post_collection_item'),
        platform='INSTAGRAM',
        enabled_only=false,
    ) | indent(4) }}
),

{{ instagram_post_series(
    fake_events=ref('mart_staging_fake_events'),
    collection_type='POST',
    real_values_chosen_per='day',
    engagement_rate_ceiling=var('engagement_rate_ceiling'),
    unknown_author_name='MISSING',
    clicks=source('dbt', 'mart_link_clicks'),
    orders=source('dbt', 'mart_link_clicks_orders'),
) }}
