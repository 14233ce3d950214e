{{ config(order_by='post_shortcode') }}

{{ instagram_post_ranks(posts=ref('mart_instagram_all_posts_partial')) }}
