{% macro percentile_grade(value, p40, p60, p75, p90) -%}
{#-
    Excellent above p90, Very Good above p75, Good above p60, Average above p40, else Poor. NULL when the value is
    NULL, 0 or not finite, or when the group has no percentiles. See doc grade.
    The percentiles are positive; the factor keeps the last bit of an interpolated one from lifting a value that
    equals it.
-#}
{%- set above = '* 1.000000000001' -%}
multiIf(
    ifNull({{ value }} = 0 or not isFinite({{ value }}), true) or ifNull(not isFinite({{ p90 }}), true), null,
    {{ value }} > {{ p90 }} {{ above }}, 'Excellent',
    {{ value }} > {{ p75 }} {{ above }}, 'Very Good',
    {{ value }} > {{ p60 }} {{ above }}, 'Good',
    {{ value }} > {{ p40 }} {{ above }}, 'Average',
    'Poor'
)
{%- endmacro %}

{% macro score_grade(percent) -%}
{#- Grade of a percentage with fixed limits: 90 Excellent, 75 Very Good, 60 Good, 40 Average, else Poor. -#}
multiIf(
    {{ percent }} >= 90, 'Excellent', {{ percent }} >= 75, 'Very Good', {{ percent }} >= 60, 'Good',
    {{ percent }} >= 40, 'Average', 'Poor'
)
{%- endmacro %}

{% macro grade_rating(grade) -%}
{#- Poor 1, Average 2, Good 3, Very Good 4, Excellent 5; 0 without a grade. -#}
transform(coalesce({{ grade }}, ''), ['Poor', 'Average', 'Good', 'Very Good', 'Excellent'], [1, 2, 3, 4, 5], 0)
{%- endmacro %}

{% macro rating_grade(rating) -%}
{#-
    A rating rounded to 1..5 turned back into its grade; Poor below 1.5. A half goes up (round() would take it to the
    even number).
-#}
transform(
    toUInt8(floor({{ rating }} + 0.5)), [2, 3, 4, 5], ['Average', 'Good', 'Very Good', 'Excellent'], 'Poor'
)
{%- endmacro %}

{% macro channel_rating(followers_rating, views_rating, uploads_rating) -%}
{#- Weighted rating of a channel, 0 to 5: half its views, a quarter each its followers and its uploads of 30 days. -#}
(0.5 * {{ views_rating }} + 0.25 * {{ followers_rating }} + 0.25 * {{ uploads_rating }})
{%- endmacro %}
