{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

with

tracked_posts as (
    {{ post_collection_items(
        ref('stg_coffee_post_collection_item'),
        platform='INSTAGRAM',
        enabled_only=true,
    ) | indent(4) }}
),

{{ instagram_post_series(
    fake_events=ref('mart_fake_events'),
    collection_type='POST',
    real_values_chosen_per='post',
    engagement_rate_ceiling=var('post_item_engagement_rate_ceiling'),
    unknown_author_name='post_handle',
    clicks=source('dbt', 'mart_link_clicks'),
    orders=source('dbt', 'mart_link_clicks_orders'),
    manual_clicks=ref('mart_collection_post_clicks'),
) }}
