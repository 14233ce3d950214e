{% macro month_of_text(expression) -%}
{#-
    First day of a month that a feed writes as text: 202211, 2022-11, 2022-11-01, 2022/11. NULL for anything else;
    the range of the month is checked because toDateOrNull turns month 13 into 1970-01-01 on some server versions.
-#}
if(
    match(replaceRegexpAll({{ expression }}, '[^0-9]', ''), '^(19|20)[0-9]{2}(0[1-9]|1[0-2])'),
    toDateOrNull(concat(
        substring(replaceRegexpAll({{ expression }}, '[^0-9]', ''), 1, 4), '-',
        substring(replaceRegexpAll({{ expression }}, '[^0-9]', ''), 5, 2), '-01'
    )),
    null
)
{%- endmacro %}
