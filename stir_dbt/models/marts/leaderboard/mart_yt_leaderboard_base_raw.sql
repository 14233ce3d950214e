{{ config(order_by='(channel_id, month)') }}
{%- set first_month = "toStartOfMonth(" ~ first_day_shown("youtube_board_first_month") ~ ")" %}
{%- set first_event = first_day_shown("youtube_board_events_from") %}

with channels_monthly_stats_20230219 as (
    {{ youtube_dump('channels_monthly_stats_20230219') }}
),

channels_monthly_stats_20230709 as (
    {{ youtube_dump('channels_monthly_stats_20230709') }}
),

profile_log_events as (
    {{ youtube_profile_events() }}
),

newest_event_of_month as (
    select
        channel_id,
        toStartOfMonth(event_timestamp) as month_start,
        argMax(counters, (is_whole, event_timestamp, insert_timestamp)) as last_counters
    from profile_log_events
    where toDate(event_timestamp) >= {{ first_event }}
    group by channel_id, month_start
),

feeds as (
    select channel_id, month_start, counters, 3 as precedence from channels_monthly_stats_20230709
    union all
    select channel_id, month_start, counters, 2 as precedence from channels_monthly_stats_20230219
    union all
    select channel_id, month_start, last_counters as counters, 1 as precedence from newest_event_of_month
),

-- One whole observation per month, never a mix of feeds.
best_observation as (
    select
        channel_id,
        month_start,
        argMax(counters, (precedence, counters.1)) as best
    from feeds
    where month_start >= {{ first_month }}
    group by channel_id, month_start
)

select
    month_start as month,
    channel_id,
    best.1 as lifetime_views,
    best.2 as lifetime_followers,
    best.3 as lifetime_uploads
from best_observation
