{% macro incremental_lookback(event_times, id_column=none, hours_var='staging_lookback_hours') -%}
{#-
    The condition that picks the source rows of an increment; `true` on the first build and on a full refresh.

    event_times: a column name or a list of them; a row is read when ANY of them is inside the look-back.
    id_column:   ever growing row id of an append-only log; rows above the highest stored id are read however late
                 their event time says they are.
    hours_var:   name of the var that holds the look-back in hours.

    The watermark is the newest stored event time, capped at stir_now() (a row stamped in the future must not block
    the rows that follow it) and never below the epoch (an empty table loads everything). Rows read twice are meant
    to collapse by the ReplacingMergeTree key of the model.
-#}
{%- if not is_incremental() -%}
true
{%- else -%}
{%- set columns = [event_times] if event_times is string else event_times -%}
{%- set seconds = var(hours_var) | int * 3600 -%}
(
    {%- for column in columns %}
    {% if not loop.first %}or {% endif %}{{ column }} >= (
        select toDateTime(greatest(
            toInt64(toUnixTimestamp(
                least(coalesce(max({{ column }}), toDateTime(0, 'UTC')), {{ stir_now() }})
            )) - {{ seconds }},
            0
        ), 'UTC')
        from {{ this }}
    )
    {%- endfor %}
    {%- if id_column %}
    or {{ id_column }} > (select max({{ id_column }}) from {{ this }})
    {%- endif %}
)
{%- endif -%}
{%- endmacro %}
