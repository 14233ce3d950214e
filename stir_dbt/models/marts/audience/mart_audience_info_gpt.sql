{{ config(order_by=['platform', 'platform_id']) }}

with profile_log_events as (
    select * from {{ source('_e', 'profile_log_events') }}
    where source = '{{ var("gpt_audience_source") }}'
),

stg_beat_instagram_account as (
    select * from {{ ref('stg_beat_instagram_account') }}
),

-- the producer writes the handle into profile_id
newest_answers as (
    select
        lower(profile_id) as answered_handle,
        argMaxIf(
            JSONExtractRaw(dimensions, 'audience_gender_age'), (event_timestamp, insert_timestamp),
            JSONHas(dimensions, 'audience_gender_age')
        ) as gender_age_json,
        argMaxIf(
            JSONExtractRaw(dimensions, 'audience_city'), (event_timestamp, insert_timestamp),
            JSONHas(dimensions, 'audience_city')
        ) as city_json
    from profile_log_events
    where profile_id != ''
    group by answered_handle
    having gender_age_json != '' and city_json != ''
),

newest_accounts as (
    select
        lower(handle) as account_handle,
        argMax(handle, (updated_at, profile_id)) as shown_handle,
        argMax(profile_id, (updated_at, profile_id)) as account_profile_id
    from stg_beat_instagram_account
    where lower(handle) in (select answered_handle from newest_answers)
    group by account_handle
),

answers as (
    select
        account.account_profile_id as platform_id,
        account.shown_handle as platform_handle,
        [
            {%- for gender in ['male', 'female'] %}
            {%- set gender_loop = loop %}
            {%- for age in var('audience_ages') %}
            greatest(JSONExtractFloat(answer.gender_age_json, '{{ age }} {{ gender }}'), 0.)
            {%- if not (loop.last and gender_loop.last) %},{% endif %}
            {%- endfor %}
            {%- endfor %}
        ] as weights,
        arraySort(city -> (-city.2, city.1), arrayFilter(city -> city.1 != '' and city.2 > 0, arrayMap(
            pair -> (lower(trimBoth(pair.1)), pair.2), JSONExtractKeysAndValues(answer.city_json, 'Float64')
        ))) as city_weights
    from newest_answers as answer
    inner join newest_accounts as account
        on answer.answered_handle = account.account_handle
),

final as (
    select
        toLowCardinality('INSTAGRAM') as platform,
        platform_id,
        toNullable(platform_handle) as platform_handle,
        {{ no_follower_figures() }}
        {{ age_figures('weights') }}
        if(length(city_weights) >= {{ var('gpt_min_cities') }}, city_weights, []) as kept_cities,
        {{ city_figures('kept_cities') }}
        {{ market_countries() }}
    from answers
)

select
    {{ audience_columns() }}
from final
