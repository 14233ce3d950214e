{{ config(order_by='channel_id') }}

with mart_insta_predicted_categories as (
    select * from {{ ref('mart_insta_predicted_categories') }}
),

mart_instagram_gpt_basic_data as (
    select * from {{ ref('mart_instagram_gpt_basic_data') }}
),

mart_manual_data_yt as (
    select * from {{ ref('mart_manual_data_yt') }}
),

mart_post_location as (
    select * from {{ ref('mart_post_location') }}
),

social_profiles as (
    select * from {{ source('vidooly', 'social_profiles_new_20230217') }}
),

stg_beat_instagram_account as (
    select * from {{ ref('stg_beat_instagram_account') }}
),

stg_beat_youtube_account as (
    select * from {{ ref('stg_beat_youtube_account') }}
),

vidooly_categories as (
    select * from {{ source('vidooly', 'category') }}
),

vidooly_instagram_profiles as (
    select * from {{ source('dbt', 'stg_vidooly_instagram_profiles') }}
),

vidooly_youtube_categories as (
    select * from {{ source('vidooly', 'youtube_category') }}
),

vidooly_youtube_channels as (
    select * from {{ source('vidooly', 'youtube_channels') }}
),

{{ instagram_attributes() }},

{{ youtube_channels() }},

candidate_pairs as (
    select distinct
        youtube_userid as pair_channel_id,
        instagram_userid as pair_profile_id
    from social_profiles
    where youtube_userid != '' and instagram_userid != ''
),

market_pairs as (
    select
        pair.pair_channel_id as channel_id,
        pair.pair_profile_id as profile_id,
        profile.handle as handle,
        channel.category as ya_category,
        profile.primary_category_original as ia_category,
        channel.followers as ya_followers,
        profile.followers as ia_followers
    from candidate_pairs as pair
    inner join instagram_attributes as profile
        on pair.pair_profile_id = profile.profile_id
    inner join youtube_channels as channel
        on pair.pair_channel_id = channel.channel_id
    where
        profile.country = '{{ var("market_country") }}'
        and profile.followers > 0
        and channel.country = '{{ var("market_country") }}'
        and channel.followers > 0
),

largest_channel_of_profile as (
    select *
    from market_pairs
    order by ya_followers desc, channel_id
    limit 1 by profile_id
),

largest_profile_of_channel as (
    select *
    from largest_channel_of_profile
    order by ia_followers desc, profile_id
    limit 1 by channel_id
),

final as (
    select
        channel_id,
        profile_id,
        handle,
        toLowCardinality(ya_category) as ya_category,
        toLowCardinality(ia_category) as ia_category,
        toLowCardinality(coalesce(
            largest_profile_of_channel.ya_category, largest_profile_of_channel.ia_category
        )) as ia_category_final,
        ia_category_final as category,
        ya_followers,
        ia_followers,
        ya_followers + ia_followers as total_followers
    from largest_profile_of_channel
)

select *
from final
