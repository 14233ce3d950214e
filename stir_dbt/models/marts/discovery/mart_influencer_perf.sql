{{ config(order_by='handle') }}
{%- set answers = [
    'Name', 'City', 'State', 'Tier', 'Brands Interested', 'Brands Purchased From', 'Categories Interested', 'Concerns',
    'Ingredients Interested', 'Price preference', 'Discount preference', 'Preferred channel', 'Preferred day',
    'Preferred hour', 'Persona', 'Insta Handle',
] %}
{%- set persona_lists = [
    'profiles_i_follow', 'my_top_influencers', 'my_top_brands', 'brand_mentions', 'time_slots', 'age',
] %}

with mart_collection_post as (
    -- a PROFILE row is a post of a tracked profile, not of a campaign
    select * from {{ ref('mart_collection_post') }}
    where platform = 'INSTAGRAM' and collection_type = 'POST' and profile_handle != ''
),

mart_instagram_account as (
    select * from {{ ref('mart_instagram_account') }}
),

mart_trinity_phase_two as (
    select * from {{ source('dbt', 'mart_trinity_phase_two') }}
),

stg_beat_instagram_profile_insights as (
    select * from {{ ref('stg_beat_instagram_profile_insights') }}
),

stg_coffee_post_collection as (
    select * from {{ ref('stg_coffee_post_collection') }}
    where source = 'GCC_CAMPAIGN'
),

stg_coffee_post_collection_item as (
    select * from {{ ref('stg_coffee_post_collection_item') }}
    where platform = 'INSTAGRAM'
),

stg_identity_host_profile as (
    select * from {{ source('dbt', 'stg_identity_host_profile') }}
),

stg_identity_social_account as (
    select * from {{ source('dbt', 'stg_identity_social_account') }}
),

app_users as (
    select
        assumeNotNull(lower(trimBoth(handle))) as app_handle,
        assumeNotNull(account_id) as app_account_id
    from stg_identity_social_account
    where platform = 'INSTAGRAM' and account_id > 0 and trimBoth(coalesce(handle, '')) != ''
    order by created_on desc, account_id desc
    limit 1 by app_handle
),

campaign_costs as (
    select
        post_collection_id,
        lower(posted_by_handle) as posting_handle,
        max(cost) as campaign_cost
    from stg_coffee_post_collection_item
    where enabled and posted_by_handle != ''
    group by post_collection_id, posting_handle
),

-- flags are of the whole collection, measures of one handle in it
campaign_results as (
    select
        collection_id,
        lower(profile_handle) as campaign_handle,
        uniqExact(post_short_code) as campaign_posts,
        max(max(link_clicks > 0)) over (partition by collection_id) as is_click_campaign,
        max(max(orders > 0)) over (partition by collection_id) as is_order_campaign,
        {%- for measure in ['orders', 'link_clicks', 'views', 'likes', 'comments', 'reach', 'impressions'] %}
        sum({{ measure }}) as campaign_{{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from mart_collection_post
    where collection_id in (select id from stg_coffee_post_collection)
    group by collection_id, campaign_handle
),

creator_results as (
    select
        result.campaign_handle as result_handle,
        uniqExact(result.collection_id) as campaigns,
        uniqExactIf(result.collection_id, result.is_click_campaign = 1) as click_campaigns,
        uniqExactIf(result.collection_id, result.is_order_campaign = 1) as order_campaigns,
        sum(result.campaign_posts) as posts,
        sum(result.campaign_orders) as orders,
        sum(result.campaign_link_clicks) as clicks,
        toInt64(sum(result.campaign_views)) as views,
        sum(result.campaign_likes) as likes,
        sum(result.campaign_comments) as comments,
        sum(result.campaign_reach) as reach,
        sum(result.campaign_impressions) as impressions,
        sum(cost.campaign_cost) as total_cost
    from campaign_results as result
    left join campaign_costs as cost
        on result.collection_id = cost.post_collection_id and result.campaign_handle = cost.posting_handle
    group by result.campaign_handle
),

persona_answers as (
    select *
    from mart_trinity_phase_two
    where trimBoth(coalesce(handle, '')) != ''
    order by `g3.Persona` is null, `g3.Name`
    limit 1 by lower(trimBoth(handle))
),

host_profiles as (
    select
        user_client_account_id,
        arrayFilter(item -> item != '', arrayMap(
            item -> JSONExtractString(item, 'name'), JSONExtractArrayRaw(coalesce(user_categories, '[]'))
        )) as host_categories,
        webengage_user_id
    from stg_identity_host_profile
    order by webengage_user_id is null, webengage_user_id
    limit 1 by user_client_account_id
),

newest_insights as (
    select *
    from stg_beat_instagram_profile_insights
    order by updated_at desc
    limit 1 by lower(handle)
),

final as (
    select
        app_user.app_handle as handle,
        app_user.app_account_id as account_id,
        host.webengage_user_id as webengage_user_id,
        host.host_categories as user_categories,

        -- campaigns
        {%- for measure in [
            'campaigns', 'click_campaigns', 'order_campaigns', 'posts', 'orders', 'clicks', 'views', 'likes',
            'comments', 'reach', 'impressions',
        ] %}
        result.{{ measure }} as {{ measure }},
        {%- endfor %}
        result.likes + result.comments as total_engagement,
        result.total_cost as total_cost,
        {{ ratio('result.clicks', 'result.orders') }} as cto,
        round({{ ratio('result.clicks', 'result.reach') }}, 6) as ctr,
        {{ ratio('result.total_cost', 'result.views') }} as cpv,
        {{ ratio('result.total_cost', 'result.clicks') }} as cpc,
        {{ ratio('result.total_cost', 'result.orders') }} as cpo,
        {{ ratio('result.total_cost', 'result.reach') }} as cpr,
        {{ ratio('1000 * result.total_cost', 'result.impressions') }} as cpm,
        {{ ratio('result.total_cost', '(result.likes + result.comments)') }} as cpe,

        -- survey
        {%- for answer in answers %}
        persona.`g3.{{ answer }}` as g3_{{ answer | replace(' ', '_') }},
        {%- endfor %}
        {%- for column in persona_lists %}
        persona.{{ column }} as {{ column }},
        {%- endfor %}

        -- account
        {%- for column in [
            'country', 'primary_category', 'label', 'gender', 'primary_language', 'followers', 'following', 'ffratio',
            'avg_views', 'avg_reach', 'avg_likes', 'avg_reels_play_count', 'engagement_rate', 'reels_reach',
            'story_reach', 'image_reach', 'country_rank', 'category_rank',
        ] %}
        account.{{ column }} as {{ column }},
        {%- endfor %}

        -- own insights
        insights.audience_city as audience_city,
        insights.audience_country as audience_country,
        insights.audience_gender_age as audience_gender_age,
        insights.audience_locale as audience_locale
    from app_users as app_user
    left join creator_results as result
        on app_user.app_handle = result.result_handle
    left join persona_answers as persona
        on app_user.app_handle = lower(trimBoth(persona.handle))
    left join mart_instagram_account as account
        on app_user.app_handle = lower(account.handle)
    left join host_profiles as host
        on app_user.app_account_id = host.user_client_account_id
    left join newest_insights as insights
        on app_user.app_handle = lower(insights.handle)
)

select *
from final
