{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

with

tracked_profiles as (
    {{ tracked_profiles(
        ref('stg_coffee_profile_collection_item'),
        platform='INSTAGRAM',
        collections=ref('stg_coffee_profile_collection'),
        account_view=ref('stg_coffee_view_instagram_account_lite'),
    ) | indent(4) }}
),

tracked_posts as (
    {{ posts_of_profiles(
        ref('stg_beat_instagram_post'),
        'profile_id',
        'tracked_profiles',
    ) | indent(4) }}
),

{{ instagram_post_series(
    fake_events=ref('mart_fake_events'),
    collection_type='PROFILE',
    real_values_chosen_per='day',
    engagement_rate_ceiling=var('engagement_rate_ceiling'),
    unknown_author_name='post_handle',
    tail_days=var('fill_tail_days'),
) }}
