{{ config(order_by='post_shortcode') }}

{{ instagram_all_posts(refreshed_within_hours=none, with_reach=true) }}
