{% test expression_holds(model, expression) %}
{#- Every row satisfies a condition over its columns; a NULL condition is a failure. -#}
select *
from {{ model }}
where not coalesce({{ expression }}, false)
{% endtest %}
