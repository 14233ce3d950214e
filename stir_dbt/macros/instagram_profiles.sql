{% macro instagram_attributes() -%}
{#-
    Who an Instagram account is: one row per account, country and category by the first-non-empty rules, WITHOUT the
    category of a linked YouTube channel. One definition for the account mart, the peer groups and the links.

    Emits the CTEs listed_instagram, older_instagram, located_instagram and instagram_attributes. The caller provides,
    as import CTEs: stg_beat_instagram_account, mart_insta_predicted_categories, mart_instagram_gpt_basic_data,
    mart_post_location, social_profiles, vidooly_categories, vidooly_instagram_profiles.

    country: account row (beat), social list of the market (vidooly_sp), older profile list (vidooly_ia), language
    model (gpt), more than half of the located posts in the market (posts).
    original category: category of the social list (vidooly), classifier (predicted).
-#}
listed_instagram as (
    select
        instagram_userid as listed_profile_id,
        toInt64OrNull(ccatid) as listed_category_id,
        country as listed_country
    from social_profiles
    where country = '{{ var("market_country") }}' and instagram_userid != ''
    order by listed_category_id is null, listed_category_id, youtube_userid
    limit 1 by listed_profile_id
),

older_instagram as (
    select
        toString(profile_id) as older_profile_id,
        {{ present_text('country') }} as older_country,
        nullIf(trimBoth(splitByChar(',', coalesce({{ present_text('city') }}, ''))[1]), '') as older_city,
        transform(upper(coalesce(gender, '')), ['M', 'F'], ['MALE', 'FEMALE'], null) as older_gender,
        {{ present_text('email') }} as older_email,
        coalesce({{ present_text('public_phone_number') }}, {{ present_text('contact_phone_number') }}) as older_phone,
        {{ present_text('saved_thumbnail') }} as older_thumbnail
    from vidooly_instagram_profiles
    order by toInt64OrZero(followers) desc, profile_name
    limit 1 by older_profile_id
),

located_instagram as (
    select profile_id as located_profile_id
    from mart_post_location
    group by profile_id
    having uniqExactIf(short_code, endsWith(lower(trimBoth(location)), lower('{{ var("market_country_name") }}')))
        > uniqExact(short_code) / 2
),

instagram_attributes as (
    select
        account.profile_id as profile_id,
        account.handle as handle,
        account.full_name as full_name,
        account.biography as biography,
        account.fbid as fbid,
        account.followers as followers,
        account.following as following,
        account.media_count as media_count,
        account.profile_type as source_profile_type,
        account.account_type as source_account_type,
        account.is_business_or_creator as is_business_or_creator,
        account.is_private as is_private,
        {{ present_text('account.language') }} as account_language,
        account.updated_at as updated_at,
        multiIf(
            {{ present_text('account.country') }} is not null, {{ present_text('account.country') }},
            listed.listed_country is not null, listed.listed_country,
            older.older_country is not null, older.older_country,
            gpt.country is not null, gpt.country,
            located.located_profile_id is not null, '{{ var("market_country") }}',
            null
        ) as country,
        multiIf(
            {{ present_text('account.country') }} is not null, 'beat',
            listed.listed_country is not null, 'vidooly_sp',
            older.older_country is not null, 'vidooly_ia',
            gpt.country is not null, 'gpt',
            located.located_profile_id is not null, 'posts',
            null
        ) as country_source,
        coalesce(nullIf(listed_category.category, ''), predicted.category) as primary_category_original,
        multiIf(
            nullIf(listed_category.category, '') is not null, 'vidooly',
            predicted.category is not null, 'predicted',
            null
        ) as original_category_source,
        coalesce(older.older_city, nullIf(gpt.city, '')) as city,
        multiIf(
            older.older_city is not null, 'vidooly_ia', nullIf(gpt.city, '') is not null, 'gpt', null
        ) as city_source,
        nullIf(gpt.state, '') as state,
        coalesce(older.older_gender, nullIf(gpt.gender, '')) as gender,
        multiIf(
            older.older_gender is not null, 'vidooly_ia', nullIf(gpt.gender, '') is not null, 'gpt', null
        ) as gender_source,
        gpt.language as gpt_language,
        older.older_email as email,
        older.older_phone as plain_phone,
        older.older_thumbnail as older_thumbnail
    from stg_beat_instagram_account as account
    left join listed_instagram as listed
        on account.profile_id = listed.listed_profile_id
    left join vidooly_categories as listed_category
        on listed.listed_category_id = listed_category.id
    left join older_instagram as older
        on account.profile_id = older.older_profile_id
    left join mart_instagram_gpt_basic_data as gpt
        on lower(account.handle) = gpt.handle
    left join located_instagram as located
        on account.profile_id = located.located_profile_id
    left join mart_insta_predicted_categories as predicted
        on account.profile_id = predicted.profile_id
    where account.handle != ''
)
{%- endmacro %}

{% macro instagram_profiles() -%}
{#-
    The measured Instagram profiles: one row per handle that has recent posts, with every measure of the account mart
    and the peer-group keys. Grades are computed on exactly the population the percentiles came from because both
    marts call this macro.

    Emits the CTEs of instagram_attributes() and winning_profiles, instagram_growth, instagram_posting,
    instagram_audience, instagram_measures, instagram_profiles. Beside the import CTEs of instagram_attributes() the
    caller provides: mart_instagram_account_summary, mart_insta_account_weekly, mart_audience_info,
    mart_linked_socials, stg_beat_instagram_post.
-#}
{%- set week = "toStartOfWeek(toDate(" ~ stir_now() ~ "))" -%}
{{ instagram_attributes() }},

-- A handle that moved to another account stands twice: the account refreshed last has it now.
winning_profiles as (
    select argMax(profile_id, (updated_at, profile_id)) as winner_id
    from stg_beat_instagram_account
    where profile_id in (select profile_id from mart_instagram_account_summary)
    group by lower(handle)
),

instagram_growth as (
    select
        platform_id as growth_profile_id,
        {%- for name, start in [
            ('7d', week ~ ' - interval 7 day'), ('30d', week ~ ' - interval 30 day'),
            ('90d', week ~ ' - interval 90 day'), ('1y', week ~ ' - interval 1 year'),
        ] %}
        if(
            max(date) >= {{ start }},
            toInt64(argMax(followers, date)) - argMaxOrNullIf(toInt64(followers), date, date < {{ start }}),
            null
        ) as followers_growth{{ name }},
        {%- endfor %}
        {%- for name in ['uploads', 'plays', 'reach', 'impressions'] %}
        sumIf(coalesce(toFloat64({{ name }}), 0), date >= {{ week }} - interval 30 day) as {{ name }}_30d,
        {%- endfor %}
        4 * sum(coalesce(toFloat64(plays), 0)) / uniqExact(date) as avg_reels_play_30d
    from mart_insta_account_weekly
    where date <= toDate({{ stir_now() }})
    group by platform_id
),

instagram_posting as (
    select
        profile_id as posting_profile_id,
        uniqExact(shortcode) / uniqExact(toStartOfWeek(publish_time)) as avg_posts_per_week
    from stg_beat_instagram_post
    where publish_time is not null and post_type != 'story'
    group by profile_id
),

instagram_audience as (
    select
        platform_id as audience_profile_id,
        reachable_followers_perc,
        audience_authenticity,
        audience_quality_score,
        audience_quality_grade
    from mart_audience_info
    where platform = 'INSTAGRAM'
),

instagram_measures as (
    select
        {%- for column in [
            'profile_id', 'handle', 'full_name', 'biography', 'fbid', 'source_profile_type', 'source_account_type',
            'is_business_or_creator', 'is_private', 'account_language', 'updated_at', 'country', 'country_source',
            'primary_category_original', 'city', 'city_source', 'state', 'gender', 'gender_source', 'gpt_language',
            'email', 'plain_phone', 'older_thumbnail',
        ] %}
        attributes.{{ column }} as {{ column }},
        {%- endfor %}
        coalesce(nullIf(linked.category, ''), attributes.primary_category_original) as primary_category,
        if(
            nullIf(linked.category, '') is not null, 'link_social', attributes.original_category_source
        ) as category_source,
        linked.channel_id as linked_channel_id,
        {{ follower_group('attributes.followers') }} as follower_group,

        -- account counters
        attributes.followers as followers,
        attributes.following as following,
        {{ not_negative('attributes.media_count') }} as post_count,
        if(
            attributes.following = 0, toFloat64(attributes.followers), attributes.followers / attributes.following
        ) as ffratio,

        -- recent posts
        {%- for name, without_outliers, plain in [
            ('avg_likes', 'avg_likes_non_outliers', 'avg_likes'),
            ('avg_comments', 'avg_comments_non_outliers', 'avg_comments'),
            ('avg_reach', 'avg_reach_non_outliers', 'avg_reach'),
            ('avg_reels_play_count', 'avg_reels_plays_non_outliers', 'avg_reels_plays'),
            ('reels_reach', 'avg_reels_reach_non_outliers', 'avg_reels_reach'),
            ('image_reach', 'static_reach_non_outliers', 'avg_static_reach'),
        ] %}
        {{ not_negative(
            recent_average('summary.' ~ without_outliers, 'summary.' ~ plain, 'attributes.media_count')
        ) }} as {{ name }},
        {%- endfor %}
        if(
            attributes.followers = 0, 0.,
            {{ recent_average('summary.avg_er_non_outliers', 'summary.avg_er', 'attributes.media_count') }}
        ) as engagement_rate,
        summary.avg_reels_impressions as reels_impressions,
        summary.avg_static_impressions as image_impressions,
        if(isFinite(summary.story_reach), summary.story_reach, null) as story_reach,
        summary.likes_spread_percentage as likes_spread,
        posting.avg_posts_per_week as avg_posts_per_week,

        -- growth and the last weeks
        growth.followers_growth7d as followers_growth7d,
        growth.followers_growth30d as followers_growth30d,
        growth.followers_growth90d as followers_growth90d,
        growth.followers_growth1y as followers_growth1y,
        growth.uploads_30d as uploads_30d,
        growth.plays_30d as plays_30d,
        growth.plays_30d as views_30d,
        growth.reach_30d as reach_30d,
        growth.impressions_30d as impressions_30d,
        {{ not_negative('coalesce(growth.avg_reels_play_30d, 0)') }} as avg_reels_play_30d,

        -- audience
        coalesce(audience.reachable_followers_perc, 0) as audience_reachability,
        coalesce(audience.audience_authenticity, 0) as audience_authencity,
        coalesce(audience.audience_quality_score, 0) as audience_quality,
        nullIf(audience.audience_quality_grade, '') as audience_quality_grade
    from mart_instagram_account_summary as summary
    inner join instagram_attributes as attributes
        on summary.profile_id = attributes.profile_id
    left join mart_linked_socials as linked
        on summary.profile_id = linked.profile_id
    left join instagram_posting as posting
        on summary.profile_id = posting.posting_profile_id
    left join instagram_growth as growth
        on summary.profile_id = growth.growth_profile_id
    left join instagram_audience as audience
        on summary.profile_id = audience.audience_profile_id
    where summary.profile_id in (select winner_id from winning_profiles)
),

instagram_profiles as (
    select
        *,
        {{ ratio('100 * avg_comments', 'followers') }} as comments_rate,
        {{ ratio('avg_likes', 'avg_comments') }} as likes_to_comment_ratio,
        {{ peer_group_key('INSTA', ['country', 'primary_category', 'follower_group']) }} as primary_group,
        {{ peer_group_key('INSTA', ['country', 'follower_group']) }} as secondary_group
    from instagram_measures
)
{%- endmacro %}
