{% test map_has_keys(model, column_name, count) %}
{#- A map column holds exactly this many keys in every row where it is not empty. -#}
select {{ column_name }}
from {{ model }}
where length(mapKeys({{ column_name }})) not in (0, {{ count }})
{% endtest %}
