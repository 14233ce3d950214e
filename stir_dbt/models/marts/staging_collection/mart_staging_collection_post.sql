{{ config(order_by='(collection_id, post_short_code)') }}

with

items as (
    {{ post_collection_items(
        ref('stg_coffee_staging_post_collection_item'),
        enabled_only=false,
    ) | indent(4) }}
),

story_estimates as (
    {{ story_estimates_from_account_summary(summary=ref('mart_instagram_account_summary')) | indent(4) }}
),

{{ collection_post_summary(
    series=ref('mart_staging_collection_post_ts'),
    series_value='highest',
    clicks=source('dbt', 'mart_link_clicks'),
    orders=source('dbt', 'mart_link_clicks_orders'),
) }}
