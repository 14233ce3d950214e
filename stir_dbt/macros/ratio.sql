{% macro ratio(numerator, denominator) -%}
{#- A quotient that is NULL, never inf or NaN, where the denominator is 0 or NULL. -#}
({{ numerator }} / nullIf({{ denominator }}, 0))
{%- endmacro %}
