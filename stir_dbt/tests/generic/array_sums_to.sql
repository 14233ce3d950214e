{% test array_sums_to(model, column_name, total, tolerance=0.001) %}
{#- The numbers of an array (shares) sum to `total`, within `tolerance`, unless it is empty or all zero. -#}
select {{ column_name }}
from {{ model }}
where arraySum({{ column_name }}) != 0
  and abs(arraySum({{ column_name }}) - {{ total }}) > {{ tolerance }}
{% endtest %}
