{% macro language_code(name) -%}
{#- The platform's code of a language given by its English name in any case; NULL for a name it does not know. -#}
{{ map_text('lower(trimBoth(coalesce(' ~ name ~ ", '')))", 'language_names') }}
{%- endmacro %}

{% macro platform_language(code) -%}
{#- The platform's code of an ISO code with or without region (hi-IN -> hi, kn -> ka); NULL for an empty one. -#}
{%- set special = var('platform_language_codes') -%}
{%- set base = "splitByChar('-', lower(replaceAll(coalesce(toString(" ~ code ~ "), ''), '_', '-')))[1]" -%}
nullIf(transform(
    {{ base }}, {{ sql_list(special.keys() | list) }}, {{ sql_list(special.values() | list) }}, {{ base }}
), '')
{%- endmacro %}
