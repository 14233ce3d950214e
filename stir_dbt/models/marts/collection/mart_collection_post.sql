{{ config(order_by='(collection_id, post_short_code)') }}

with

items as (
    {{ post_collection_items(ref('stg_coffee_post_collection_item'), enabled_only=true) | indent(4) }}
),

story_estimates as (
    {{ story_estimates_from_snapshots(collections=ref('stg_coffee_post_collection')) | indent(4) }}
),

{{ collection_post_summary(
    series=ref('mart_collection_post_ts'),
    series_value='newest_day',
    clicks=source('dbt', 'mart_link_clicks'),
    orders=source('dbt', 'mart_link_clicks_orders'),
    manual_clicks=ref('mart_collection_post_clicks'),
) }}
