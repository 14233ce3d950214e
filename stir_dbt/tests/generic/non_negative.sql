{% test non_negative(model, columns) %}
{#- No listed measure is below 0, NaN or infinite; NULL passes. One scan for all of them, where in_range needs one each. -#}
select {{ columns | join(', ') }}
from {{ model }}
where
    {%- for column in columns %}
    {% if not loop.first %}or {% endif %}not isFinite(toFloat64(coalesce({{ column }}, 0))) or coalesce({{ column }}, 0) < 0
    {%- endfor %}
{% endtest %}
