{{ config(order_by='(platform, post_short_code, event_timestamp)') }}

with

instagram_profiles as (
    {{ tracked_profiles(
        ref('stg_coffee_staging_profile_collection_item'),
        platform='INSTAGRAM',
    ) | indent(4) }}
),

youtube_profiles as (
    {{ tracked_profiles(
        ref('stg_coffee_staging_profile_collection_item'),
        platform='YOUTUBE',
    ) | indent(4) }}
),

tracked_posts as (
    select platform, short_code
    from {{ ref('stg_coffee_staging_post_collection_item') }}
    where short_code != ''
    union distinct
    select 'INSTAGRAM' as platform, shortcode as short_code
    from {{ ref('stg_beat_instagram_post') }}
    where profile_id in (select profile_id from instagram_profiles)
    union distinct
    select 'YOUTUBE' as platform, shortcode as short_code
    from {{ ref('stg_beat_youtube_post') }}
    where channel_id in (select profile_id from youtube_profiles)
),

{{ impossible_observations() }}
