{% macro impossible_observations() -%}
{#-
    Raw observations of posts that cannot be true: lifetime counters that jump up and fall back (SPIKE), dip and recover
    (DROP), or are impossible by themselves (INVALID). Follows a CTE `tracked_posts` (platform, short_code) in the model.

    0 means "not reported" and takes no part in the tests. Ratios, window and floors are the vars fake_events_*. The event
    log is read once: an observation becomes one row per counter it reports, its neighbours come from a window.
-#}
{%- set metrics = ['likes', 'comments', 'plays', 'views', 'real_reach', 'real_impressions'] -%}
{%- set spike, drop = var('fake_events_spike_ratio'), var('fake_events_drop_ratio') -%}
{%- set tolerance = 'toIntervalDay(' ~ var('fake_events_clock_tolerance_days') ~ ')' -%}
events as (
    select
        toString(platform) as event_platform,
        assumeNotNull(shortcode) as post_code,
        event_timestamp,
        {{ parsed_counters('metrics', [
            'likes', 'comments', 'play_count', 'view_count', 'reach', 'impressions'
        ]) }} as parsed,
        platform = 'YOUTUBE' as is_video,
        [
            {{ counter('parsed', 'likes') }},
            {{ counter('parsed', 'comments') }},
            if(is_video, 0, {{ counter('parsed', 'play_count') }}),
            if(is_video, {{ youtube_views('parsed') | indent(12) }}, 0),
            if(is_video, 0, {{ counter('parsed', 'reach') }}),
            if(is_video, 0, {{ counter('parsed', 'impressions') }})
        ] as event_counters
    from {{ source('_e', 'post_log_events') }}
    where (platform, shortcode) in (select platform, short_code from tracked_posts)
),

observations as (
    select event_platform, post_code, event_timestamp, maxForEach(event_counters) as counters
    from events
    group by event_platform, post_code, event_timestamp
),

publish_times as (
    select 'INSTAGRAM' as post_platform, shortcode, max(publish_time) as published_at
    from {{ ref('stg_beat_instagram_post') }}
    where shortcode in (select short_code from tracked_posts where platform = 'INSTAGRAM')
    group by shortcode
    union all
    select 'YOUTUBE' as post_platform, shortcode, max(published_at) as published_at
    from {{ ref('stg_beat_youtube_post') }}
    where shortcode in (select short_code from tracked_posts where platform = 'YOUTUBE')
    group by shortcode
),

dated_observations as (
    select
        o.event_platform as event_platform,
        o.post_code as post_code,
        o.event_timestamp as event_timestamp,
        o.counters as counters,
        o.event_timestamp > {{ stir_now() }} + {{ tolerance }}
            or coalesce(o.event_timestamp < p.published_at - {{ tolerance }}, false) as is_time_impossible
    from observations as o
    left join publish_times as p
        on o.event_platform = p.post_platform and o.post_code = p.shortcode
),

reported_counters as (
    select
        event_platform,
        post_code,
        event_timestamp,
        counters,
        arrayJoin(arrayFilter(m -> m.2 != 0, [
            {%- for metric in metrics %}
            ('{{ metric }}', counters[{{ loop.index }}]),
            {%- endfor %}
            ('event_timestamp', if(is_time_impossible, toInt64(toUnixTimestamp(event_timestamp)), 0))
        ])) as reported,
        reported.1 as metric,
        reported.2 as value,
        metric = 'event_timestamp' or value < 0 as is_invalid
    from dated_observations
),

neighbourhoods as (
    select
        event_platform,
        post_code,
        event_timestamp,
        counters,
        metric,
        value,
        is_invalid,
        groupArray(value) over (
            partition by event_platform, post_code, metric, is_invalid
            order by event_timestamp
            rows between {{ var('fake_events_window') }} preceding and 1 preceding
        ) as values_before,
        groupArray(value) over (
            partition by event_platform, post_code, metric, is_invalid
            order by event_timestamp
            rows between 1 following and {{ var('fake_events_window') }} following
        ) as values_after
    from reported_counters
),

medians as (
    select
        *,
        if(empty(values_before), 0., arrayReduce('quantileExactInclusive(0.5)', values_before)) as before,
        if(empty(values_after), 0., arrayReduce('quantileExactInclusive(0.5)', values_after)) as after,
        max(if(empty(values_before), 0, value)) over (
            partition by event_platform, post_code, metric, is_invalid
        ) as highest_after_first,
        {{ number_by_name('metric', var('fake_events_spike_floors')) }} as spike_floor,
        {{ number_by_name('metric', var('fake_events_drop_floors')) }} as drop_floor
    from neighbourhoods
),

verdicts as (
    select
        event_platform,
        post_code,
        event_timestamp,
        counters,
        metric,
        value,
        multiIf(
            is_invalid,
            ('INVALID', 0.),
            notEmpty(values_before) and notEmpty(values_after)
                and value > {{ spike }} * greatest(before, after)
                and value - greatest(before, after) >= spike_floor,
            ('SPIKE', greatest(before, after)),
            empty(values_before) and length(values_after) >= {{ var('fake_events_first_value_min_after') }}
                and value > {{ spike }} * highest_after_first
                and value - highest_after_first >= spike_floor,
            ('SPIKE', toFloat64(highest_after_first)),
            notEmpty(values_before)
                and value < {{ drop }} * before
                and before - value >= drop_floor
                and (empty(values_after) or {{ drop }} * after > value),
            ('DROP', before),
            ('', 0.)
        ) as verdict
    from medians
),

rejected as (
    select
        event_platform,
        post_code,
        event_timestamp,
        any(counters) as seen,
        groupArray(verdict.1) as verdict_kinds,
        arraySort(groupArray((metric, toFloat64(value), verdict.2))) as broken
    from verdicts
    where verdict.1 != ''
    group by event_platform, post_code, event_timestamp
),

final as (
    select
        cast(event_platform as LowCardinality(String)) as platform,
        post_code as post_short_code,
        event_timestamp,
        toDate(event_timestamp) as stats_date,
        cast(multiIf(
            has(verdict_kinds, 'INVALID'), 'INVALID', has(verdict_kinds, 'SPIKE'), 'SPIKE', 'DROP'
        ) as LowCardinality(String)) as kind,
        broken.1 as bad_metrics,
        broken.2 as bad_values,
        broken.3 as expected_values,
        seen[4] as views,
        seen[1] as likes,
        seen[2] as comments,
        seen[3] as plays,
        toFloat64(seen[5]) as real_reach,
        toFloat64(seen[6]) as real_impressions
    from rejected
)

select *
from final
{%- endmacro %}

{% macro number_by_name(column, numbers) -%}
{#- The number of a {name: number} var for the name in the column; 0 for any other name. -#}
transform({{ column }}, ['{{ numbers.keys() | join("', '") }}'], [{{ numbers.values() | join(', ') }}], 0)
{%- endmacro %}
