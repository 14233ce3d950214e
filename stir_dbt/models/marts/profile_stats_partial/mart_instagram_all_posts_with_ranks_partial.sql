{{ config(order_by='post_shortcode') }}

{{ instagram_posts_with_ranks(
    posts=ref('mart_instagram_all_posts_partial'),
    ranks=ref('mart_instagram_post_ranks_partial'),
    with_reach=false,
) }}
