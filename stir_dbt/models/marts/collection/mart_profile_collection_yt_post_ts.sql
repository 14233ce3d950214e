{{ config(order_by='(collection_id, post_short_code, stats_date)') }}

with

tracked_profiles as (
    {{ tracked_profiles(
        ref('stg_coffee_profile_collection_item'),
        platform='YOUTUBE',
        collections=ref('stg_coffee_profile_collection'),
    ) | indent(4) }}
),

tracked_posts as (
    {{ posts_of_profiles(
        ref('stg_beat_youtube_post'),
        'channel_id',
        'tracked_profiles',
    ) | indent(4) }}
),

{{ youtube_post_series(
    fake_events=ref('mart_fake_events'),
    collection_type='PROFILE',
    tail_days=var('fill_tail_days'),
) }}
