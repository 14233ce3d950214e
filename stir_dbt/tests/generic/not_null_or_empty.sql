{% test not_null_or_empty(model, columns) %}
{#- Key columns say something: neither NULL nor empty text. A non-nullable text cannot be NULL, but it can be ''. -#}
select {{ columns | join(', ') }}
from {{ model }}
where {% for column in columns -%}
    {{ 'or ' if not loop.first }}{{ column }} is null or toString({{ column }}) = ''
    {% endfor %}
{% endtest %}
