{% macro is_counted_attempt() -%}
{#-
    Conditions on stg_beat_scrape_request_log rows that count as an attempt: finished, and not because the target is
    gone or busy (204, 409), the route was throttled (429) or the scraper itself broke (NoneType).
-#}
status in ('FAILED', 'COMPLETE')
and scraped_at is not null
and not match(coalesce(data, ''), '^\\((204|409|429)')
and position(coalesce(data, ''), 'NoneType') = 0
{%- endmacro %}
