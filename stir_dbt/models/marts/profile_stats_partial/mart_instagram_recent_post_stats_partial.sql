{{ config(order_by='post_shortcode') }}

{{ instagram_recent_post_stats(posts_with_ranks=ref('mart_instagram_all_posts_with_ranks_partial')) }}
