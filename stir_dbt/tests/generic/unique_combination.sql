{% test unique_combination(model, columns) %}
{#- The grain: no two rows share these columns. -#}
select {{ columns | join(', ') }}, count() as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having row_count > 1
{% endtest %}
