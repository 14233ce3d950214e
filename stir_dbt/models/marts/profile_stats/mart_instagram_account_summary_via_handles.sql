{{ config(order_by='handle') }}

{{ instagram_account_summary(
    recent_posts=ref('mart_instagram_recent_post_stats'),
    keyed_by='handle',
    mean_reel_plays_over='reels_with_plays',
    with_likes_spread=false,
) }}
