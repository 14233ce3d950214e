{{ config(order_by='channelid') }}
{%- set windows = var('growth_windows') %}

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
    where date <= toDate({{ stir_now() }})
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
        argMaxIf([counters], (observed_on, is_weekly), observed_on > toDate({{ stir_now() }}) - interval {{ var('growth_fresh_days') }} day)
            as now_counters
        {%- for window in windows %},
        maxIf(
            observed_on,
            observed_on <= toDate({{ stir_now() }}) - interval {{ window.span }}
            and observed_on > toDate({{ stir_now() }}) - interval {{ window.span }} - interval {{ window.slack_days }} day
        ) as then_on_{{ window.name }},
        argMaxIf(
            [counters],
            (observed_on, is_weekly),
            observed_on <= toDate({{ stir_now() }}) - interval {{ window.span }}
            and observed_on > toDate({{ stir_now() }}) - interval {{ window.span }} - interval {{ window.slack_days }} day
        ) as then_counters_{{ window.name }}
        {%- endfor %}
    from observations
    group by channel_id
    having weeks > 0
)

select
    channel_id as channelid
    {%- for window in windows %}
    {%- set known = 'notEmpty(now_counters) and notEmpty(then_counters_' ~ window.name ~ ') and then_on_' ~ window.name ~ ' < newest_on' %},
    if({{ known }}, now_counters[1].2 - then_counters_{{ window.name }}[1].2, null) as follower_{{ window.name }},
    if({{ known }}, now_counters[1].3 - then_counters_{{ window.name }}[1].3, null) as uploads_{{ window.name }},
    if({{ known }}, now_counters[1].1 - then_counters_{{ window.name }}[1].1, null) as views_{{ window.name }}
    {%- endfor %}
from observed
