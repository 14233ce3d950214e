{% macro present_text(expression) -%}
{#- The text, trimmed; NULL where it is empty or the word NULL, both of which the old lists use for "missing". -#}
nullIf(nullIf(trimBoth(toString({{ expression }})), ''), 'NULL')
{%- endmacro %}
