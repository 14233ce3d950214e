{% macro yt_subscribers(events) -%}
{#-
    Newest known subscription of every (subscriber, channel) pair, labelled with category and country of both sides.

    events: the event stream. An increment reads what was scraped or arrived later than var subscriber_lookback_hours
    before the newest stored event, so an event is never too late; a pair that comes again is appended and the
    ReplacingMergeTree keeps the newest event_timestamp. Readers see one row per pair because the profile sets final = 1.
-#}
with

{#- Named event_timestamp for incremental_lookback(), which compares a column with itself in the stored rows. #}
events as (
    select
        source_channel_id,
        target_channel_id,
        subscribed_on,
        event_timestamp as scraped_at,
        greatest(event_timestamp, coalesce(insert_timestamp, event_timestamp)) as event_timestamp
    from {{ events }}
),

subscriptions as (
    select
        source_channel_id as subscriber,
        target_channel_id as channel,
        max(scraped_at) as last_seen_at,
        argMax(toDateTime(subscribed_on), (scraped_at, subscribed_on)) as subscribed_at
    from events
    where source_channel_id != ''
        and target_channel_id != ''
        and source_channel_id != target_channel_id
        and {{ incremental_lookback('event_timestamp', hours_var='subscriber_lookback_hours') }}
    group by subscriber, channel
),

channel_labels as (
    select
        channel_id as labelled_channel,
        toString(any(category)) as gcc_category,
        toString(any(yt_category)) as video_category,
        toString(any(country)) as home_country
    from {{ ref('mart_youtube_account') }}
    group by labelled_channel
),

final as (
    select
        s.subscriber as subscriber_id,
        s.channel as channel_id,
        cast(s.subscribed_at as DateTime) as timestamp,
        cast(s.last_seen_at as DateTime) as event_timestamp,
        {%- for side in ['channel', 'subscriber'] %}
        cast(coalesce({{ side }}_label.gcc_category, '') as LowCardinality(String)) as {{ side }}_gcc_category,
        cast(coalesce({{ side }}_label.video_category, '') as LowCardinality(String)) as {{ side }}_yt_category,
        cast(coalesce({{ side }}_label.home_country, '') as LowCardinality(String)) as {{ side }}_country
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from subscriptions as s
    left join channel_labels as channel_label
        on s.channel = channel_label.labelled_channel
    left join channel_labels as subscriber_label
        on s.subscriber = subscriber_label.labelled_channel
)

select *
from final
{%- endmacro %}
