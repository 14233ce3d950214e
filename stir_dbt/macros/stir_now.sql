{% macro stir_now() -%}
{#-
    The moment a model is built for: UTC, one value for every model of an invocation that sets the var `as_of`.

    as_of: '2018-06-14' (the last second of that day, so that the day itself is in) or '2018-06-14 12:00:00'.
    Without it: the clock of the ClickHouse server. Never write now() or today() in a model: an import of old data
    and a unit test both need another "now".
-#}
{%- set as_of = var('as_of', none) -%}
{%- if as_of is none or as_of | string | trim == '' -%}
now('UTC')
{%- else -%}
{%- set text = (as_of | string | trim).replace('T', ' ') -%}
{%- if modules.re.fullmatch('\d{4}-\d{2}-\d{2}', text) -%}
toDateTime('{{ text }} 23:59:59', 'UTC')
{%- elif modules.re.fullmatch('\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}', text) -%}
toDateTime('{{ text }}', 'UTC')
{%- else -%}
{{ exceptions.raise_compiler_error("var as_of is " ~ text ~ ": give it as 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS', in UTC") }}
{%- endif -%}
{%- endif -%}
{%- endmacro %}
