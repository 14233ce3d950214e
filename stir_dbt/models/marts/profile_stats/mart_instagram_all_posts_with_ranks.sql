{{ config(order_by='post_shortcode') }}

{{ instagram_posts_with_ranks(
    posts=ref('mart_instagram_all_posts'),
    ranks=ref('mart_instagram_post_ranks'),
    with_reach=true,
) }}
