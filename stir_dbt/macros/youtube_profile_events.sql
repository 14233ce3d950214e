{% macro youtube_profile_events() -%}
{#-
    Observations of YouTube channels in the event stream: (channel_id, event_timestamp, insert_timestamp, is_whole,
    counters), counters = (lifetime views, subscribers, uploads). The channel id is in the column handle. Channels may
    hide their subscribers and lists of videos do not tell them: such an observation has NULLs, is not whole, and
    counts only where the period has no whole one.
-#}
select
    channel_id,
    event_timestamp,
    insert_timestamp,
    followers is not null and uploads is not null as is_whole,
    (assumeNotNull(views), followers, uploads) as counters
from (
    select
        handle as channel_id,
        event_timestamp,
        insert_timestamp,
        JSONExtract(metrics, 'view_count', 'Nullable(Int64)') as views,
        JSONExtract(metrics, 'subscriber_count', 'Nullable(Int64)') as followers,
        JSONExtract(metrics, 'video_count', 'Nullable(Int64)') as uploads
    from {{ source('_e', 'profile_log_events') }}
    where platform = 'YOUTUBE' and handle != '' and event_timestamp <= {{ stir_now() }}
) as channel_events
where views is not null
{%- endmacro %}

{% macro youtube_dump(table) -%}
{#-
    A frozen dump of monthly lifetime counters of channels: (channel_id, month_start, counters), counters as in
    youtube_profile_events. Rows with an unreadable month or counter are left out.
-#}
select
    id as channel_id,
    assumeNotNull(month_day) as month_start,
    (assumeNotNull(views), followers, uploads) as counters
from (
    select
        id,
        {{ month_of_text('month') }} as month_day,
        toInt64OrNull(toString(lifetime_views)) as views,
        toInt64OrNull(toString(lifetime_subscribers)) as followers,
        toInt64OrNull(toString(lifetime_uploads)) as uploads
    from {{ source('vidooly', table) }}
    where id != ''
) as dump
where
    month_day <= toDate({{ stir_now() }})
    and views is not null and followers is not null and uploads is not null
{%- endmacro %}
