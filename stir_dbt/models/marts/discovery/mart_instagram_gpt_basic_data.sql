{{ config(order_by='handle') }}
{%- set answers = ['city', 'state', 'country', 'languages'] %}

with mart_country_codes as (
    select
        lower(name) as country_key,
        any(code) as code
    from {{ source('dbt', 'mart_country_codes') }}
    group by country_key
),

profile_log_events as (
    select * from {{ source('_e', 'profile_log_events') }}
    where source = '{{ var("gpt_basic_data_source") }}'
),

newest_answers as (
    select
        lower(handle) as answered_handle,
        argMax(dimensions, (event_timestamp, insert_timestamp)) as newest_dimensions
    from profile_log_events
    where handle != ''
    group by answered_handle
),

-- a list in JSON, or names with slashes (commas and pipes too where a country is asked)
answer_lists as (
    select
        answered_handle,
        {%- for answer in answers %}
        JSONExtractString(newest_dimensions, '{{ answer }}') as {{ answer }}_text,
        arrayFilter(
            item -> item != '' and not has({{ sql_list(var('unknown_place_answers')
                + (var('unknown_country_answers') if answer == 'country' else [])) }}, lower(item)),
            arrayMap(item -> trimBoth(item, ' "\''), if(
                JSONType(newest_dimensions, '{{ answer }}') = 'Array',
                JSONExtract(newest_dimensions, '{{ answer }}', 'Array(String)'),
                if(
                    position({{ answer }}_text, '[') > 0,
                    splitByChar(',', replaceRegexpAll({{ answer }}_text, '[\\[\\]]', '')),
                    splitByChar('/', {% if answer == 'country' -%}
                        translate({{ answer }}_text, ',|', '//')
                    {%- else -%}
                        {{ answer }}_text
                    {%- endif %})
                )
            ))
        ) as {{ answer }}_items,
        {%- endfor %}
        JSONExtractString(newest_dimensions, 'gender') as gender_text
    from newest_answers
),

final as (
    select
        answer.answered_handle as handle,
        answer.city_items[1] as city,
        answer.city_items as cities,
        answer.state_items[1] as state,
        answer.state_items as states,
        answer.country_items[1] as country_name,
        toLowCardinality(country_code.code) as country,
        answer.country_items as countries,
        answer.languages_items[1] as language_name,
        toLowCardinality({{ language_code('answer.languages_items[1]') }}) as language,
        answer.languages_items as languages,
        if(answer.gender_text in ('FEMALE', 'MALE'), answer.gender_text, '') as gender
    from answer_lists as answer
    left join mart_country_codes as country_code
        on lower(answer.country_items[1]) = country_code.country_key
)

select *
from final
