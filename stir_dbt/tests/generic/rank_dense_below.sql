{% test rank_dense_below(model, column_name, partition_by, below) %}
{#- Of every scope, all ranks below `below` are there, each once, from 1 on; higher ranks may have been cut. -#}
select
    {{ partition_by | join(', ') }},
    count() as row_count,
    uniqExact({{ column_name }}) as distinct_ranks,
    max({{ column_name }}) as highest
from {{ model }}
where {{ column_name }} < {{ below }}
group by {{ partition_by | join(', ') }}
having row_count != distinct_ranks or row_count != highest
{% endtest %}
