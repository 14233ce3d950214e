{{ config(order_by='(platform_id, date)') }}

with channels_monthly_stats_20230219 as (
    {{ youtube_dump('channels_monthly_stats_20230219') }}
),

profile_log_events as (
    {{ youtube_profile_events() }}
),

youtube_channels as (
    select
        id as channel_id,
        snapshot_date,
        (assumeNotNull(views), followers, uploads) as counters
    from (
        select
            id,
            snapshot_date,
            toInt64OrNull(view_count) as views,
            toInt64OrNull(subscriber_count) as followers,
            toInt64OrNull(video_count) as uploads
        from {{ source('vidooly', 'youtube_channels') }}
        where id != '' and snapshot_date <= toDate({{ stir_now() }})
    ) as snapshots
    where views is not null and followers is not null and uploads is not null
),

-- A week stands for its first whole observation; an own one wins over a daily snapshot of the same week.
week_observations as (
    select
        channel_id,
        toStartOfWeek(event_timestamp, 0) as week_start,
        argMin(counters, (not is_whole, event_timestamp, insert_timestamp)) as first_counters,
        2 as precedence
    from profile_log_events
    group by channel_id, week_start
    union all
    select
        channel_id,
        toStartOfWeek(snapshot_date, 0) as week_start,
        argMin(counters, (snapshot_date, counters.1)) as first_counters,
        1 as precedence
    from youtube_channels
    group by channel_id, week_start
),

dump_months as (
    select
        channel_id,
        month_start,
        argMax(counters, counters.1) as month_counters
    from channels_monthly_stats_20230219
    group by channel_id, month_start
),

points as (
    select
        channel_id,
        week_start as point_date,
        argMax(
            first_counters, (first_counters.2 is not null and first_counters.3 is not null, precedence)
        ) as point_counters,
        true as is_weekly
    from week_observations
    group by channel_id, week_start
    union all
    select
        channel_id,
        month_start as point_date,
        month_counters as point_counters,
        false as is_weekly
    from dump_months
),

points_with_era as (
    select
        *,
        min(if(is_weekly, point_date, null)) over (partition by channel_id) as first_week
    from points
),

-- The monthly dump speaks only for the time before the first week that somebody measured.
history as (
    select
        *,
        lagInFrame(toNullable(point_date)) over era as previous_date,
        lagInFrame(point_counters) over era as previous_counters
    from points_with_era
    where is_weekly or first_week is null or point_date < first_week
    window era as (
        partition by channel_id, is_weekly order by point_date rows between unbounded preceding and current row
    )
),

gains as (
    select
        *,
        if(
            is_weekly,
            {{ is_next_period('previous_date', 'point_date', 'week') }},
            {{ is_next_period('previous_date', 'point_date', 'month') }}
        ) as is_consecutive,
        if(is_consecutive, point_counters.1 - previous_counters.1, null) as views_gain,
        if(is_consecutive, point_counters.2 - previous_counters.2, null) as followers_gain,
        if(is_consecutive, point_counters.3 - previous_counters.3, null) as uploads_gain
    from history
)

select
    point_date as date,
    previous_date as p_date,
    toLowCardinality('YOUTUBE') as platform,
    channel_id as platform_id,
    point_counters.1 as views,
    point_counters.2 as followers,
    point_counters.3 as uploads,
    {{ not_negative('followers_gain') }} as followers_change,
    {{ not_negative('views_gain') }} as views_change,
    {{ not_negative('uploads_gain') }} as uploads_change,
    {{- youtube_series_columns(monthly=false) }}
from gains
