{% macro sql_list(values) -%}
{#- A ClickHouse array literal of texts; quotes inside a text are escaped. -#}
[{% for value in values %}'{{ value | string | replace("\\", "\\\\") | replace("'", "\\'") }}'{% if not loop.last %}, {% endif %}{% endfor %}]
{%- endmacro %}
