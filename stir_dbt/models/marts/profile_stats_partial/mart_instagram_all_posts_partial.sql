{{ config(order_by='post_shortcode') }}

{{ instagram_all_posts(refreshed_within_hours=var('partial_ranker_hours'), with_reach=false) }}
