{% test rank_from_one(model, column_name, partition_by) %}
{#- A rank starts at 1 in every scope and never exceeds the number of rows of the scope. -#}
select {{ partition_by | join(', ') }}, min({{ column_name }}) as lowest, max({{ column_name }}) as highest, count() as row_count
from {{ model }}
where {{ column_name }} is not null
group by {{ partition_by | join(', ') }}
having lowest != 1 or highest > row_count
{% endtest %}
