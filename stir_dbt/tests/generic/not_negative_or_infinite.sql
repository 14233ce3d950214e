{% test not_negative_or_infinite(model, columns) %}
{#- Measures are at least 0 and finite; NULL passes. One scan for all of them. -#}
select {{ columns | join(', ') }}
from {{ model }}
where {% for column in columns -%}
    {{ 'or ' if not loop.first }}{{ column }} < 0 or not isFinite(toFloat64({{ column }}))
    {% endfor %}
{% endtest %}
