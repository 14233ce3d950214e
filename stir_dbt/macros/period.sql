{% macro period_start(expression, period) -%}
{#- First day of the period a moment lies in, as a Date. period: 'week' (starts on Sunday) or 'month'. -#}
{%- if period == 'week' -%}
toStartOfWeek({{ expression }}, 0)
{%- elif period == 'month' -%}
toStartOfMonth({{ expression }})
{%- else -%}
{{ exceptions.raise_compiler_error("period is " ~ period ~ ": give 'week' or 'month'") }}
{%- endif -%}
{%- endmacro %}

{% macro is_next_period(previous_start, start, period) -%}
{#- Whether `start` is the period right after `previous_start`; false where there is no previous one. -#}
coalesce({{ start }} = {{ previous_start }} + interval 1 {{ period }}, false)
{%- endmacro %}

{% macro first_day_shown(name) -%}
{#- The day of a var before which a series is not shown; a build as of an earlier day shows the year before that day. -#}
least(toDate('{{ var(name) }}'), toDate({{ stir_now() }}) - interval 12 month)
{%- endmacro %}
