{% test sums_to(model, column_name, total, tolerance=0.001) %}
{#- The values of a map (shares) sum to `total`, within `tolerance`, where the map is not empty. -#}
select {{ column_name }}
from {{ model }}
where length({{ column_name }}) > 0
  and abs(arraySum(mapValues({{ column_name }})) - {{ total }}) > {{ tolerance }}
{% endtest %}
