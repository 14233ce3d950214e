{{ config(order_by=['priority', 'handle']) }}
{%- set now = stir_now() %}

with mart_instagram_account as (
    select * from {{ ref('mart_instagram_account') }}
),

mart_instagram_leaderboard as (
    select * from {{ ref('mart_instagram_leaderboard') }}
),

stg_beat_scrape_request_log as (
    select * from {{ ref('stg_beat_scrape_request_log') }}
),

stg_coffee_campaign_profiles as (
    select * from {{ ref('stg_coffee_campaign_profiles') }}
),

stg_coffee_profile_collection as (
    select * from {{ ref('stg_coffee_profile_collection') }}
),

stg_coffee_profile_collection_item as (
    select * from {{ ref('stg_coffee_profile_collection_item') }}
),

stg_coffee_view_instagram_account_lite as (
    select * from {{ ref('stg_coffee_view_instagram_account_lite') }}
),

stg_identity_social_account as (
    select * from {{ source('dbt', 'stg_identity_social_account') }}
),

last_attempts as (
    select
        lower(JSONExtractString(coalesce(params, ''), 'handle')) as attempted_handle,
        max(scraped_at) as last_attempt
    from stg_beat_scrape_request_log
    where
        flow = 'refresh_profile_by_handle'
        and {{ is_counted_attempt() }}
        and attempted_handle != ''
    group by attempted_handle
),

collection_handles as (
    select
        account.handle as handle,
        collection.source as collection_source,
        item.updated_at as updated_at
    from stg_coffee_profile_collection_item as item
    inner join stg_coffee_profile_collection as collection
        on item.profile_collection_id = collection.id
    inner join stg_coffee_view_instagram_account_lite as account
        on item.platform_account_code = account.id
    where item.platform = 'INSTAGRAM' and item.profile_social_id != '' and collection.source in ('{{ var("tracker_collection_source") }}', '{{ var("customer_list_source") }}')
),

-- one row per reason: (source, priority, last attempt that makes it due)
candidates as (
    select handle, 'app' as source, 1 as priority, {{ now }} - interval 1 month as due_before
    from stg_identity_social_account
    where platform = 'INSTAGRAM' and created_on >= {{ now }} - interval 7 day
    union all
    select handle, 'saas-collection' as source, 4 as priority, {{ now }} - interval 1 day as due_before
    from collection_handles
    where collection_source = '{{ var("tracker_collection_source") }}'
    union all
    select account.handle, 'leaderboard' as source, 4 as priority, {{ now }} - interval 1 week as due_before
    from mart_instagram_account as account
    where account.ig_id in (
        select platform_id
        from mart_instagram_leaderboard
        where
            month >= toStartOfMonth(toDate({{ now }})) - interval {{ var('tracked_leaderboard_months') }} month
            and least(
                {%- for metric in ['followers', 'followers_change', 'plays', 'views'] %}
                {%- set metric_loop = loop %}
                {%- for scope in ['', '_by_cat', '_by_lang', '_by_cat_lang'] %}
                {{ metric }}_rank{{ scope }}{% if not (loop.last and metric_loop.last) %},{% endif %}
                {%- endfor %}
                {%- endfor %}
            ) < {{ var('tracked_rank_below') }}
    )
    union all
    select handle, 'saas-profile-collection' as source, 5 as priority, {{ now }} - interval 1 day as due_before
    from collection_handles
    where collection_source = '{{ var("customer_list_source") }}' and updated_at >= {{ now }} - interval 30 day
    union all
    select handle, 'saas' as source, 5 as priority, {{ now }} - interval 2 week as due_before
    from mart_instagram_account
    where country = '{{ var("market_country") }}'
    union all
    select account.handle, 'cm' as source, 6 as priority, {{ now }} - interval 1 month as due_before
    from stg_coffee_campaign_profiles as campaign_profile
    inner join stg_coffee_view_instagram_account_lite as account
        on campaign_profile.platform_account_id = account.id
    where
        campaign_profile.platform = 'INSTAGRAM'
        and campaign_profile.platform_account_id > 0
        and campaign_profile.gcc_user_account_id > 0
    union all
    select
        handle,
        if(followers > {{ var('tracked_profile_min_followers') }}, 'rest_2k', 'rest') as source,
        if(followers > {{ var('tracked_profile_min_followers') }}, 7, 8) as priority,
        {{ now }} - interval 1 month as due_before
    from mart_instagram_account
),

due_candidates as (
    select
        lower(trimBoth(coalesce(candidate.handle, ''))) as due_handle,
        candidate.source as due_source,
        candidate.priority as due_priority,
        attempt.last_attempt as attempted_at
    from candidates as candidate
    left join last_attempts as attempt
        on lower(trimBoth(coalesce(candidate.handle, ''))) = attempt.attempted_handle
    where
        trimBoth(coalesce(candidate.handle, '')) != ''
        and (attempt.last_attempt is null or attempt.last_attempt <= candidate.due_before)
),

final as (
    select
        due_handle as handle,
        toLowCardinality(argMin(due_source, (due_priority, due_source))) as source,
        toUInt8(min(due_priority)) as priority,
        any(attempted_at) as last_attempt
    from due_candidates
    group by due_handle
)

select *
from final
