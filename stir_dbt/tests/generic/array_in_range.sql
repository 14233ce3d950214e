{% test array_in_range(model, column_name, min, max) %}
{#- Every number of an array is finite and within [min, max]. -#}
select {{ column_name }}
from {{ model }}
where arrayExists(item -> not isFinite(item) or item < {{ min }} or item > {{ max }}, {{ column_name }})
{% endtest %}
