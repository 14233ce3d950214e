{% macro size_class(followers, classes) -%}
{#-
    The size class of an account: the first class whose exclusive upper limit is above its followers.
    classes: name of the var, a list of {name, below} with ascending limits and null in the last.
-#}
multiIf(
    {%- for class in var(classes) if class.below is not none %}
    {{ followers }} < {{ class.below }}, '{{ class.name }}',
    {%- endfor %}
    '{{ (var(classes) | last).name }}'
)
{%- endmacro %}

{% macro follower_group(followers) -%}
{#- See doc follower_group: 0-5k ... 1M+. -#}
{{ size_class(followers, 'follower_groups') }}
{%- endmacro %}

{% macro creator_label(followers) -%}
{#- Nano, Micro, Macro or Mega. -#}
{{ size_class(followers, 'creator_labels') }}
{%- endmacro %}
