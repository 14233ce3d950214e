{% macro hashtags_of(text) -%}
{#- Hashtags as written, with #, in order, repeats kept: # and then letters, marks, digits or _ of any script. -#}
extractAll(coalesce({{ text }}, ''), '#[\\p{L}\\p{M}\\p{N}_]+')
{%- endmacro %}

{% macro keywords_of(text) -%}
{#- Words of four or more ASCII letters or digits, in order, repeats kept. -#}
extractAll(coalesce({{ text }}, ''), '[A-Za-z0-9]{4,}')
{%- endmacro %}
