{% test same_length(model, column_name, other) %}
{#- Two parallel arrays have the same number of elements in every row. -#}
select {{ column_name }}, {{ other }}
from {{ model }}
where length({{ column_name }}) != length({{ other }})
{% endtest %}
