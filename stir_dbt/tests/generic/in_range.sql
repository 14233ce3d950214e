{% test in_range(model, column_name, min=none, max=none) %}
{#- A measure stays within [min, max]; NULL passes (test not_null for that), NaN and infinity do not. -#}
select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
  and (
    not isFinite(toFloat64({{ column_name }}))
    {%- if min is not none %} or {{ column_name }} < {{ min }}{% endif %}
    {%- if max is not none %} or {{ column_name }} > {{ max }}{% endif %}
  )
{% endtest %}
