{% macro recent_average(without_outliers, plain, media_count) -%}
{#-
    A mean over the newest posts as the product shows it: 0 for an account without posts, else the mean without
    outliers, else (0, NULL or not finite: fewer than five posts) the plain mean.
-#}
if({{ media_count }} = 0, 0., coalesce(
    if(isFinite({{ without_outliers }}) and {{ without_outliers }} != 0, {{ without_outliers }}, null),
    if(isFinite({{ plain }}), {{ plain }}, null)
))
{%- endmacro %}
