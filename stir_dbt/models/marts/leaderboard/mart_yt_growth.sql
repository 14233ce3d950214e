{{ config(order_by='channelid') }}
{%- set windows = var('growth_windows') %}
{%- set today = 'toDate(' ~ stir_now() ~ ')' %}

with channels_monthly_stats_20230219 as (
    {{ youtube_dump('channels_monthly_stats_20230219') }}
),

mart_yt_account_weekly as (
    select
        platform_id as channel_id,
        date as observed_on,
        (views, followers, uploads) as counters,
        true as is_weekly
    from {{ ref('mart_yt_account_weekly') }}
    where date <= {{ today }}
),

-- The frozen dump only helps where the weekly series has no row that old.
observations as (
    select channel_id, observed_on, counters, is_weekly from mart_yt_account_weekly
    union all
    select channel_id, month_start, counters, false from channels_monthly_stats_20230219
),

-- See doc growth_window: a NULL tuple would lose its type, so an absent observation is an empty array.
observed as (
    select
        channel_id,
        countIf(is_weekly) as weeks,
        max(observed_on) as newest_on,
        argMaxIf(
            [counters],
            (observed_on, is_weekly),
            observed_on > {{ today }} - interval {{ var('growth_fresh_days') }} day
        ) as now_counters
        {%- for window in windows %}
        {%- set moment = today ~ ' - interval ' ~ window.span %}
        {%- set stands_for_it -%}
            observed_on <= {{ moment }} and observed_on > {{ moment }} - interval {{ window.slack_days }} day
        {%- endset %},
        maxIf(observed_on, {{ stands_for_it }}) as then_on_{{ window.name }},
        argMaxIf([counters], (observed_on, is_weekly), {{ stands_for_it }}) as then_counters_{{ window.name }}
        {%- endfor %}
    from observations
    group by channel_id
    having weeks > 0
)

select
    channel_id as channelid
    {%- for window in windows %}
    {%- set then = 'then_counters_' ~ window.name %}
    {%- set known -%}
        notEmpty(now_counters) and notEmpty({{ then }}) and then_on_{{ window.name }} < newest_on
    {%- endset %}
    {%- for measure, place in {'follower': 2, 'uploads': 3, 'views': 1}.items() %},
    if(
        {{ known }},
        now_counters[1].{{ place }} - {{ then }}[1].{{ place }},
        null
    ) as {{ measure }}_{{ window.name }}
    {%- endfor %}
    {%- endfor %}
from observed
