{% macro daily_post_series(counters, tail_days=none) -%}
{#-
    The CTEs that turn accepted events into one row per collection, post and day. They read two CTEs of the caller,
    `accepted_events` (shortcode, event_timestamp and the counters) and `tracked_posts`, and end with `series_days`.

    counters:  names of the lifetime counters. 0 means "not reported", never "fell to zero": it takes the last positive
               value of the post up to that day. Real falls are kept.
    tail_days: how long a post that is no longer scraped is carried forward; none = as long as any post of its
               collection is scraped.
-#}
daily_counters as (
    select
        shortcode,
        toDate(event_timestamp) as stats_date,
        {%- for name in counters %}
        max({{ name }}) as {{ name }}_of_day,
        {%- endfor %}
        max(event_timestamp) as last_event_at
    from accepted_events
    group by shortcode, stats_date
),

carried_counters as (
    select
        shortcode,
        stats_date,
        last_event_at,
        {%- for name in counters %}
        coalesce(last_value(if({{ name }}_of_day = 0, null, {{ name }}_of_day)) over days_so_far, 0) as {{ name }},
        {%- endfor %}
        {%- for name in counters if name in ['real_reach', 'real_impressions'] %}
        first_value({{ name }}_of_day) over days_so_far as first_{{ name }},
        {%- endfor %}
        {#- 1970-01-01 after the last day. #}
        leadInFrame(stats_date) over (
            partition by shortcode order by stats_date rows between current row and 1 following
        ) as next_date
    from daily_counters
    window days_so_far as (
        partition by shortcode order by stats_date rows between unbounded preceding and current row
    )
),

collection_days as (
    select
        t.collection_id as collection_id,
        t.post_collection_item_id as post_collection_item_id,
        c.*,
        max(c.stats_date) over (partition by t.collection_id) as collection_last_date
    from carried_counters as c
    inner join tracked_posts as t
        on c.shortcode = t.short_code
),

filled_days as (
    select
        *,
        if(
            next_date > stats_date,
            least(next_date - 1, toDate({{ stir_now() }})),
            least(
                collection_last_date,
                toDate({{ stir_now() }})
                {%- if tail_days is not none %},
                stats_date + {{ tail_days }}
                {%- endif %}
            )
        ) as carried_until,
        arrayJoin(range(toUInt32(greatest(dateDiff('day', stats_date, carried_until), 0) + 1))) as days_carried
    from collection_days
),

series_days as (
    select
        * except (stats_date),
        stats_date + days_carried as stats_date,
        days_carried > 0 as is_filled
    from filled_days
)
{%- endmacro %}

{% macro accepted_only(platform, fake_events) -%}
{#- Condition on the event log: events of the tracked posts that the list of impossible observations does not name. -#}
platform = '{{ platform }}'
        and shortcode in (select short_code from tracked_posts)
        and (shortcode, event_timestamp) not in (
            select post_short_code, event_timestamp
            from {{ fake_events }}
            where platform = '{{ platform }}'
        )
{%- endmacro %}

{% macro collection_post_ts_columns() -%}
{#- Name and type of the columns of every collection series, in order: the four inputs and their unions share them. -#}
{{ return([
    ('platform', 'LowCardinality(String)'),
    ('collection_id', 'String'),
    ('collection_type', 'LowCardinality(String)'),
    ('post_short_code', 'String'),
    ('stats_date', 'Date'),
    ('post_type', 'LowCardinality(String)'),
    ('post_collection_item_id', 'Int64'),
    ('post_title', 'String'),
    ('post_link', 'String'),
    ('post_thumbnail', 'String'),
    ('hashtags', 'Array(String)'),
    ('keywords', 'Array(String)'),
    ('published_at', 'Nullable(DateTime)'),
    ('profile_social_id', 'String'),
    ('profile_handle', 'String'),
    ('post_handle', 'String'),
    ('profile_name', 'String'),
    ('followers', 'Int64'),
    ('views', 'Float64'),
    ('likes', 'Int64'),
    ('comments', 'Int64'),
    ('plays', 'Int64'),
    ('saves', 'Int64'),
    ('shares', 'Int64'),
    ('mentions', 'Int64'),
    ('swipe_ups', 'Int64'),
    ('sticker_taps', 'Int64'),
    ('story_exits', 'Int64'),
    ('story_back_taps', 'Int64'),
    ('story_forward_taps', 'Int64'),
    ('reach', 'Float64'),
    ('impressions', 'Float64'),
    ('real_reach', 'Float64'),
    ('real_impressions', 'Float64'),
    ('total_engagement', 'Int64'),
    ('engagement_rate', 'Float64'),
    ('link_clicks', 'Int64'),
    ('orders', 'Int64'),
    ('delivered_orders', 'Int64'),
    ('completed_orders', 'Int64'),
    ('leaderboard_overall_orders', 'Int64'),
    ('leaderboard_delivered_orders', 'Int64'),
    ('leaderboard_completed_orders', 'Int64'),
    ('is_filled', 'UInt8'),
    ('updated_at', 'DateTime'),
]) }}
{%- endmacro %}

{% macro select_collection_post_ts(from_cte) -%}
{#- The final select of a series: every column by name, cast to its contract type. -#}
select
    {%- for name, type in collection_post_ts_columns() %}
    cast(s.{{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ from_cte }} as s
{%- endmacro %}

{% macro stacked_collection_post_ts(series) -%}
{#- The given series below each other, same columns in the same order. -#}
{%- for relation in series %}
select
    {%- for name, _ in collection_post_ts_columns() %}
    {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ relation }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
{%- endmacro %}
