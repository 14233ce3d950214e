{% macro json_array_of_names(column, prefix) -%}
{#-
    JSON array text of names -> sorted Array(String): trimmed, lower case, without the leading `prefix` character,
    without empty values and repeats. NULL or text that is no JSON array gives an empty array.
-#}
arraySort(arrayDistinct(arrayFilter(
    name -> name != '',
    arrayMap(
        item -> lower(trim(replaceRegexpOne(trim(item), '^[{{ prefix }}]+', ''))),
        JSONExtract(coalesce({{ column }}, '[]'), 'Array(String)')
    )
)))
{%- endmacro %}
