{% macro map_text(expression, mapping) -%}
{#-
    Looks a text up in a var that maps texts to texts; NULL for any other text and for NULL.
    mapping: name of the var.
-#}
{%- set pairs = var(mapping) -%}
nullIf(transform(
    coalesce({{ expression }}, ''), {{ sql_list(pairs.keys() | list) }}, {{ sql_list(pairs.values() | list) }}, ''
), '')
{%- endmacro %}
