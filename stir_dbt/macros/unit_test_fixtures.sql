{#
  How the rows of a unit test reach ClickHouse. dbt writes each row as a SELECT with one CAST for each column of the input,
  given or not, joined by UNION ALL; inputs of fifty columns make statements that take ClickHouse longer to analyse than the
  model takes to run. Here an input is one call of the table function `format` with the given values as text; columns that are
  not given take the default of their type, as in dbt. Values are parsed like CAST from a string: `[1, 2]`, `{'a': 1}`, dates.
#}

{% macro get_fixture_sql(rows, column_name_to_data_types) %}
  {%- if not column_name_to_data_types -%}
    {%- set relation = defer_relation if (defer_relation and not load_relation(this)) else this -%}
    {%- set column_name_to_data_types = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do column_name_to_data_types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- if not column_name_to_data_types -%}
      {{ exceptions.raise_compiler_error(
        "unit test: the columns of input " ~ relation ~ " are unknown, because it does not exist; build or seed it first"
      ) }}
    {%- endif -%}
  {%- endif -%}
  {{ rows_as_text(rows, column_name_to_data_types, "input '" ~ model.name ~ "'") }}
{% endmacro %}

{#- dbt-clickhouse creates an empty table to learn the types of the model's columns, reads them back and drops it; DESCRIBE
    tells the same. -#}
{% materialization unit, adapter='clickhouse' %}
  {%- set expected_rows = config.get('expected_rows') -%}
  {%- set data_types = {} -%}
  {%- for row in run_query('describe table (\n' ~ sql ~ '\n)') -%}
    {%- if not expected_rows or row['name'] in expected_rows[0] -%}
      {%- do data_types.update({row['name']: row['type']}) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set expected_sql = config.get('expected_sql') or rows_as_text(expected_rows, data_types, "the model, or the first expected row,") -%}
  {%- set quoted = [] -%}
  {%- for name in data_types -%}{%- do quoted.append(adapter.quote(name)) -%}{%- endfor -%}
  {%- call statement('main', fetch_result=True) -%}
    {{ get_unit_test_sql(sql, expected_sql, quoted) }}
  {%- endcall -%}
  {{ return({'relations': []}) }}
{% endmaterialization %}

{% macro rows_as_text(rows, column_name_to_data_types, what) %}
  {%- set structure = [] -%}
  {%- for name, data_type in column_name_to_data_types.items() -%}
    {%- do structure.append(adapter.quote(name) ~ ' ' ~ data_type) -%}
  {%- endfor -%}
  {%- set lines = [] -%}
  {%- for row in rows -%}
    {%- set pairs = [] -%}
    {%- for name, value in row.items() -%}
      {%- if name not in column_name_to_data_types -%}
        {{ exceptions.raise_compiler_error(
          "unit test: " ~ what ~ " has no column '" ~ name ~ "'; there are " ~ column_name_to_data_types.keys() | join(", ")
        ) }}
      {%- endif -%}
      {%- if value is boolean -%}
        {%- do pairs.append(name ~ '=' ~ value | int) -%}
      {%- elif value is not none -%}
        {%- do pairs.append(name ~ '=' ~ value | string
          | replace('\\', '\\\\') | replace('\t', '\\t') | replace('\n', '\\n')) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- do lines.append((['tskv'] + pairs) | join('\t') ~ '\n') -%}
  {%- endfor -%}
  select * from format(TSKV, {{ text_literal(structure | join(', ')) }}, {{ text_literal(lines | join('')) }})
{% endmacro %}

{% macro text_literal(text) -%}
  '{{ text | replace('\\', '\\\\') | replace("'", "\\'") }}'
{%- endmacro %}
