{{ config(order_by='profile_id') }}

{{ instagram_account_summary(
    recent_posts=ref('mart_instagram_recent_post_stats'),
    keyed_by='profile_id',
    mean_reel_plays_over='all_reels',
    with_likes_spread=true,
) }}
