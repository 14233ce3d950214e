{% macro not_negative(expression) -%}
{#- Negative values become 0, NULL stays NULL (greatest() treats NULL differently from one server version to the next). -#}
if({{ expression }} < 0, 0, {{ expression }})
{%- endmacro %}
