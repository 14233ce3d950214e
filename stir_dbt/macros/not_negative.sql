{% macro not_negative(expression) -%}
{#- Negative values become 0, NULL stays NULL (greatest() treats NULL differently from one server version to another). -#}
if({{ expression }} < 0, 0, {{ expression }})
{%- endmacro %}
