{{ config(order_by='handle') }}
{%- set graded = instagram_graded_metrics() %}

with mart_audience_info as (
    select * from {{ ref('mart_audience_info') }}
),

mart_insta_account_weekly as (
    select * from {{ ref('mart_insta_account_weekly') }}
),

mart_insta_predicted_categories as (
    select * from {{ ref('mart_insta_predicted_categories') }}
),

mart_insta_predicted_lang as (
    select
        profile_id as predicted_profile_id,
        lang as predicted_language
    from {{ ref('mart_insta_predicted_lang') }}
),

mart_instagram_account_summary as (
    select * from {{ ref('mart_instagram_account_summary') }}
),

mart_instagram_gpt_basic_data as (
    select * from {{ ref('mart_instagram_gpt_basic_data') }}
),

mart_linked_socials as (
    select * from {{ ref('mart_linked_socials') }}
),

mart_post_location as (
    select * from {{ ref('mart_post_location') }}
),

mart_primary_group_metrics as (
    select * from {{ ref('mart_primary_group_metrics') }}
),

social_profiles as (
    select * from {{ source('vidooly', 'social_profiles_new_20230217') }}
),

stg_beat_asset_log as (
    select * from {{ ref('stg_beat_asset_log') }}
),

stg_beat_instagram_account as (
    select * from {{ ref('stg_beat_instagram_account') }}
),

stg_beat_instagram_post as (
    select * from {{ ref('stg_beat_instagram_post') }}
),

stg_coffee_post_collection_item as (
    select * from {{ ref('stg_coffee_post_collection_item') }}
    where platform = 'INSTAGRAM' and enabled
),

stg_coffee_profile_collection as (
    select * from {{ ref('stg_coffee_profile_collection') }}
    where source = '{{ var("tracker_collection_source") }}'
),

stg_coffee_profile_collection_item as (
    select * from {{ ref('stg_coffee_profile_collection_item') }}
    where platform = 'INSTAGRAM' and enabled
),

stg_coffee_view_instagram_account_lite as (
    select * from {{ ref('stg_coffee_view_instagram_account_lite') }}
),

vidooly_categories as (
    select * from {{ source('vidooly', 'category') }}
),

vidooly_instagram_profiles as (
    select * from {{ source('dbt', 'stg_vidooly_instagram_profiles') }}
),

{{ instagram_profiles() }},

profile_pictures as (
    {{ newest_asset_url('stg_beat_asset_log', 'PROFILE') }}
),

collection_profiles as (
    select profile_id
    from stg_beat_instagram_account
    where lower(handle) in (
        select lower(posted_by_handle) from stg_coffee_post_collection_item where posted_by_handle != ''
    )
    union distinct
    select profile_id
    from stg_beat_instagram_post
    where shortcode in (select short_code from stg_coffee_post_collection_item where short_code != '')
    union distinct
    select coalesce(ig_id, '') as profile_id
    from stg_coffee_view_instagram_account_lite
    where id in (
        select platform_account_code
        from stg_coffee_profile_collection_item
        where profile_collection_id in (select id from stg_coffee_profile_collection)
    )
),

described_profiles as (
    select
        profile.*,
        if(
            profile.primary_group in (select group_key from mart_primary_group_metrics),
            profile.primary_group, profile.secondary_group
        ) as group_key,
        coalesce(
            concat('{{ var("cdn_base_url") }}', nullIf(picture.asset_url, '')), profile.older_thumbnail
        ) as thumbnail,
        coalesce(
            {{ platform_language('profile.account_language') }}, profile.gpt_language,
            predicted.predicted_language, 'en'
        ) as primary_language,
        multiIf(
            profile.account_language is not null, 'beat',
            profile.gpt_language is not null, 'gpt',
            predicted.predicted_language is not null, 'predicted',
            null
        ) as language_source,
        concat(lower(coalesce(profile.full_name, '')), ' ', lower(profile.handle)) as search_phrase,
        profile.profile_id in (select profile_id from collection_profiles) as is_collection_profile,
        rank() over (partition by profile.country order by profile.followers desc) as country_rank,
        rank() over (
            partition by profile.country, profile.primary_category order by profile.followers desc
        ) as category_rank
    from instagram_profiles as profile
    left join profile_pictures as picture
        on profile.profile_id = picture.entity_id
    left join mart_insta_predicted_lang as predicted
        on profile.profile_id = predicted.predicted_profile_id
),

final as (
    select
        -- ids and texts
        profile.profile_id as ig_id,
        profile.handle as handle,
        profile.full_name as name,
        profile.fbid as business_id,
        profile.biography as bio,
        profile.thumbnail as thumbnail,
        profile.linked_channel_id as linked_channel_id,
        splitByWhitespace(profile.search_phrase) as keywords,
        profile.search_phrase as search_phrase,

        -- kind of account
        toLowCardinality(multiIf(
            upper(coalesce(profile.source_profile_type, '')) in ('PERSONAL', 'BUSINESS', 'CREATOR'),
            upper(coalesce(toString(profile.source_profile_type), '')),
            profile.is_business_or_creator = 1, 'BUSINESS_OR_CREATOR',
            'UNKNOWN'
        )) as account_type,
        toLowCardinality(coalesce({{ present_text('profile.source_account_type') }}, 'CREATOR')) as profile_type,
        toLowCardinality({{ creator_label('profile.followers') }}) as label,
        toLowCardinality(profile.follower_group) as follower_group,
        [profile.primary_category] as categories,
        [profile.primary_language] as languages,

        -- demographics and where they come from
        '' as dob,
        profile.city as city,
        toLowCardinality(profile.city_source) as city_source,
        profile.state as state,
        toLowCardinality(profile.gender) as gender,
        toLowCardinality(profile.gender_source) as gender_source,
        toLowCardinality(profile.primary_language) as primary_language,
        toLowCardinality(profile.language_source) as language_source,
        toLowCardinality(profile.primary_category) as primary_category,
        toLowCardinality(profile.category_source) as category_source,
        toLowCardinality(profile.primary_category_original) as primary_category_original,
        toLowCardinality(profile.country) as country,
        toLowCardinality(profile.country_source) as country_source,
        {{ phone_hash('profile.plain_phone') }} as phone,
        {{ phone_mask('profile.plain_phone') }} as phone_masked,
        profile.email as email,

        -- flags
        {%- for constant in [
            'is_blacklisted', 'is_verified', 'post_frequency_week', 'authentic_engagement', 'shorts_reach',
            'video_reach',
        ] %}
        toUInt8(0) as {{ constant }},
        {%- endfor %}
        profile.is_private as is_private,
        toUInt8(profile.is_collection_profile) as is_collection_profile,

        -- size and growth
        profile.followers as followers,
        profile.following as following,
        profile.ffratio as ffratio,
        profile.post_count as post_count,
        profile.followers_growth7d as followers_growth7d,
        profile.followers_growth30d as followers_growth30d,
        profile.followers_growth90d as followers_growth90d,
        profile.followers_growth1y as followers_growth1y,
        profile.uploads_30d as uploads_30d,
        profile.plays_30d as plays_30d,
        profile.views_30d as views_30d,
        profile.reach_30d as reach_30d,
        profile.impressions_30d as impressions_30d,
        profile.avg_reels_play_30d as avg_reels_play_30d,

        -- recent posts
        profile.avg_reels_play_count as avg_views,
        profile.avg_reach as avg_reach,
        profile.avg_likes as avg_likes,
        profile.avg_comments as avg_comments,
        profile.avg_reels_play_count as avg_reels_play_count,
        profile.engagement_rate as engagement_rate,
        profile.comments_rate as comments_rate,
        round(profile.comments_rate) as comment_rate_percentage,
        profile.likes_to_comment_ratio as likes_to_comment_ratio,
        profile.likes_spread as likes_spread,
        profile.likes_spread as likes_spread_percentage,
        profile.avg_posts_per_week as avg_posts_per_week,
        profile.reels_reach as reels_reach,
        profile.image_reach as image_reach,
        profile.story_reach as story_reach,
        profile.reels_impressions as reels_impressions,
        profile.image_impressions as image_impressions,

        -- audience
        profile.audience_reachability as audience_reachability,
        profile.audience_authencity as audience_authencity,
        profile.audience_quality as audience_quality,
        toLowCardinality(profile.audience_quality_grade) as audience_quality_grade,

        -- ranks and peer group
        profile.country_rank as country_rank,
        profile.category_rank as category_rank,
        profile.primary_group as primary_group,
        profile.secondary_group as secondary_group,
        profile.group_key as group_key,
        {%- for metric in graded %}
        toLowCardinality({{ percentile_grade(
            'profile.' ~ metric, 'peers.p40_' ~ metric, 'peers.p60_' ~ metric, 'peers.p75_' ~ metric,
            'peers.p90_' ~ metric
        ) }}) as {{ metric }}_grade,
        peers.group_avg_{{ metric }} as group_avg_{{ metric }},
        {%- endfor %}
        engagement_rate_grade as er_grade,
        profile.updated_at as updated_at
    from described_profiles as profile
    left join mart_primary_group_metrics as peers
        on profile.group_key = peers.group_key
)

select *
from final
