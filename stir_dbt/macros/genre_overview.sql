{% macro genre_overview(country=none, known_demographics_only=true) %}
{#-
    The market overview: accounts of both platforms, rolled up over every subset of month, category, language and
    creator type, per platform and for both together.

    country:                 only accounts of this country (none: all).
    known_demographics_only: demo_followers counts an account only when one of its age weights is above 0; false
                             counts every account that has an audience row.

    Counts and levels of ALL months are those of each account's newest month (levels do not add up over time); views,
    likes, comments and uploads of ALL months are sums.
-#}
{{ config(order_by=['platform', 'month', 'category', 'language', 'profile_type']) }}
{%- set ages = var('audience_ages') %}
{%- set age_columns = [] %}
{%- for age in ages %}{% do age_columns.append(age | replace('-', '_') | replace('+', '_plus')) %}{% endfor %}
{%- set weights = [] %}
{%- for gender in ['m', 'f'] %}
{%- for age in age_columns %}{% do weights.append(gender ~ '_' ~ age) %}{% endfor %}
{%- endfor %}
{%- set keys = ['month', 'category', 'language', 'profile_type'] %}
{%- set sums = ['views', 'likes', 'comments', 'uploads'] %}

with mart_audience_info as (
    select * from {{ ref('mart_audience_info') }}
),

mart_insta_leaderboard_base as (
    select * from {{ ref('mart_insta_leaderboard_base') }}
    where month >= toStartOfMonth({{ first_day_shown("genre_first_month") }}) and month <= toDate({{ stir_now() }})
),

mart_instagram_account as (
    select * from {{ ref('mart_instagram_account') }}
),

mart_youtube_account as (
    select * from {{ ref('mart_youtube_account') }}
),

mart_yt_leaderboard_base as (
    select * from {{ ref('mart_yt_leaderboard_base') }}
    where month >= toStartOfMonth({{ first_day_shown("genre_first_month") }}) and month <= toDate({{ stir_now() }})
),

accounts as (
    select
        'INSTAGRAM' as account_platform,
        ig_id as account_id,
        toString(primary_category) as account_category,
        toString(primary_language) as account_language,
        toString(profile_type) as account_type
    from mart_instagram_account
    {%- if country %}
    where country = '{{ country }}'
    {%- endif %}
    union all
    select
        'YOUTUBE' as account_platform,
        channel_id as account_id,
        toString(category) as account_category,
        toString(language) as account_language,
        toString(profile_type) as account_type
    from mart_youtube_account
    {%- if country %}
    where country = '{{ country }}'
    {%- endif %}
),

-- a negative counter is a correction by the platform, not a loss of the month
monthly_figures as (
    select
        'INSTAGRAM' as figure_platform,
        month,
        profile_id as figure_account_id,
        {{ not_negative('toInt64(plays)') }} as figure_views,
        toInt64(likes) as figure_likes,
        toInt64(comments) as figure_comments,
        {{ not_negative('toInt64(followers)') }} as figure_followers,
        {{ not_negative('toInt64(uploads)') }} as figure_uploads
    from mart_insta_leaderboard_base
    union all
    select
        'YOUTUBE' as figure_platform,
        month,
        channel_id as figure_account_id,
        {{ not_negative('coalesce(views, 0)') }} as figure_views,
        toInt64(0) as figure_likes,
        toInt64(0) as figure_comments,
        {{ not_negative('toInt64(followers)') }} as figure_followers,
        {{ not_negative('coalesce(uploads, 0)') }} as figure_uploads
    from mart_yt_leaderboard_base
),

audiences as (
    select
        platform as audience_platform,
        platform_id as audience_account_id,
        [
            {%- for key in age_group_keys() %}
            age_group_percs[indexOf(age_groups, '{{ key }}')]{% if not loop.last %},{% endif %}
            {%- endfor %}
        ] as percents
    from mart_audience_info
),

described_figures as (
    select
        figure.figure_platform as platform,
        figure.month as figure_month,
        figure.figure_account_id as account_id,
        coalesce(nullIf(account.account_category, ''), 'MISSING') as category,
        if(
            has({{ sql_list(var('genre_languages')) }}, coalesce(account.account_language, '')),
            assumeNotNull(account.account_language), 'MISSING'
        ) as language,
        coalesce(nullIf(account.account_type, ''), 'CREATOR') as profile_type,
        toString(figure.month) as month,
        coalesce(figure.figure_views, 0) as account_views,
        coalesce(figure.figure_likes, 0) as account_likes,
        coalesce(figure.figure_comments, 0) as account_comments,
        coalesce(figure.figure_uploads, 0) as account_uploads,
        coalesce(figure.figure_followers, 0) as account_followers,
        figure.month = max(figure.month) over (
            partition by figure.figure_platform, figure.figure_account_id
        ) as is_newest_month,
        audience.percents as percents,
        {% if known_demographics_only -%}
        arraySum(audience.percents) > 0
        {%- else -%}
        ifNull(audience.audience_account_id != '', false)
        {%- endif %} as has_demographics
    from monthly_figures as figure
    inner join accounts as account
        on figure.figure_platform = account.account_platform and figure.figure_account_id = account.account_id
    left join audiences as audience
        on figure.figure_platform = audience.audience_platform
        and figure.figure_account_id = audience.audience_account_id
),

-- every roll-up of the four keys, once per platform; a key that is rolled up shows ALL
platform_cube as (
    select
        platform,
        {%- for key in keys %}
        if(grouping({{ key }}) = 1, 'ALL', {{ key }}) as shown_{{ key }},
        {%- endfor %}
        grouping(month) = 1 as is_all_months,
        uniqExact(account_id) as creators,
        {%- for measure in sums %}
        sum(account_{{ measure }}) as sum_{{ measure }},
        {%- endfor %}
        if(is_all_months, sumIf(account_followers, is_newest_month), sum(account_followers)) as sum_followers,
        if(
            is_all_months,
            sumIf(account_followers, is_newest_month and has_demographics),
            sumIf(account_followers, has_demographics)
        ) as sum_demo_followers,
        {%- for weight in weights %}
        if(
            is_all_months,
            sumIf(account_followers * percents[{{ loop.index }}], is_newest_month and has_demographics),
            sumIf(account_followers * percents[{{ loop.index }}], has_demographics)
        ) as sum_{{ weight }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from described_figures
    group by grouping sets (
        {%- for mask in range(16) %}
        (platform{% for key in keys %}{% if (mask // (2 ** loop.index0)) % 2 == 1 %}, {{ key }}{% endif %}{% endfor %})
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    )
),

-- both platforms together: accounts are different ones, so everything adds up
platform_totals as (
    select
        shown_platform,
        {%- for key in keys %}
        shown_{{ key }},
        {%- endfor %}
        sum(creators) as all_creators,
        {%- for measure in sums + ['followers', 'demo_followers'] + weights %}
        sum(sum_{{ measure }}) as all_{{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from platform_cube
    array join [platform, 'ALL'] as shown_platform
    group by shown_platform, {% for key in keys %}shown_{{ key }}{% if not loop.last %}, {% endif %}{% endfor %}
),

final as (
    select
        {%- for key in ['platform'] + keys %}
        toLowCardinality(shown_{{ key }}) as {{ key }},
        {%- endfor %}
        all_creators as creators,
        {%- for measure in sums %}
        all_{{ measure }} as {{ measure }},
        {%- endfor %}
        all_followers as followers,
        all_likes + all_comments as engagement,
        {{ ratio('(all_likes + all_comments)', 'all_views') }} as engagement_rate,
        toFloat64(all_demo_followers) as demo_followers,
        {%- for weight in weights %}
        all_{{ weight }} as {{ weight }},
        {%- endfor %}
        {%- for age in age_columns %}
        all_m_{{ age }} + all_f_{{ age }} as a_{{ age }},
        {%- endfor %}
        {%- for gender, letter in [('male', 'm'), ('female', 'f')] %}
        {% for age in age_columns %}all_{{ letter }}_{{ age }}{% if not loop.last %} + {% endif %}{% endfor %}
            as {{ gender }}_gender,
        {%- endfor %}
        {%- for name, letter in [
            ('male_audience_age_gender', 'm'), ('female_audience_age_gender', 'f'), ('audience_age', 'a'),
        ] %}
        map(
            {%- for age in ages %}
            '{{ age }}', {{ audience_share(letter ~ '_' ~ age_columns[loop.index0], 'demo_followers') }}
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        ) as {{ name }},
        {%- endfor %}
        map('male', male_audience_age_gender, 'female', female_audience_age_gender) as audience_age_gender,
        map(
            'male_per', {{ audience_share('male_gender', 'demo_followers') }},
            'female_per', {{ audience_share('female_gender', 'demo_followers') }}
        ) as audience_gender
    from platform_totals
)

select
    month,
    language,
    category,
    profile_type,
    platform,
    creators,
    views,
    likes,
    comments,
    engagement,
    engagement_rate,
    followers,
    uploads,
    demo_followers,
    {%- for letter in ['m', 'f', 'a'] %}
    {%- for age in age_columns %}
    {{ letter }}_{{ age }},
    {%- endfor %}
    {%- endfor %}
    male_gender,
    female_gender,
    male_audience_age_gender,
    female_audience_age_gender,
    audience_age,
    audience_age_gender,
    audience_gender
from final
{% endmacro %}

{% macro audience_share(weight, followers) -%}
{#- Percent of the audience, 2 decimals; 0 where no account of the group has demographics. -#}
if({{ followers }} > 0, round({{ weight }} / {{ followers }}, 2), 0.)
{%- endmacro %}
