{% macro audience_columns() -%}
{#- The columns of every audience model, in order: the union of the three sources relies on it. -#}
platform,
    platform_id,
    platform_handle,
    reachable_followers_perc,
    audience_authenticity,
    breakup_low_followers,
    breakup_high_following,
    breakup_audience_authenticity,
    breakup_audience_authenticity_grade,
    breakup_high_following_grade,
    breakup_low_followers_grade,
    breakup_followers_growth30d_grade,
    breakup_views_30d_grade,
    breakup_uploads_30d_grade,
    audience_quality_score,
    audience_quality_grade,
    male_followers_perc,
    female_followers_perc,
    notable_followers,
    age_groups,
    age_group_percs,
    cities,
    city_percs,
    countries,
    country_percs
{%- endmacro %}

{% macro age_group_keys() -%}
{#- The 14 keys of an age distribution: M_13-17 ... M_65+, F_13-17 ... F_65+. -#}
{%- set keys = [] -%}
{%- for gender in ['M', 'F'] -%}
{%- for age in var('audience_ages') -%}
{%- do keys.append(gender ~ '_' ~ age) -%}
{%- endfor -%}
{%- endfor -%}
{{ return(keys) }}
{%- endmacro %}

{% macro no_follower_figures() -%}
{#- What a source without scraped followers says about their quality: nothing, written 0 and ''. -#}
0. as reachable_followers_perc,
        0. as audience_authenticity,
        0. as breakup_low_followers,
        0. as breakup_high_following,
        0. as breakup_audience_authenticity,
        {%- for part in [
            'audience_authenticity', 'high_following', 'low_followers', 'followers_growth30d', 'views_30d',
            'uploads_30d',
        ] %}
        toLowCardinality('') as breakup_{{ part }}_grade,
        {%- endfor %}
        0. as audience_quality_score,
        toLowCardinality('') as audience_quality_grade,
        emptyArrayString() as notable_followers,
{%- endmacro %}

{% macro shares_of_sum(weights) -%}
{#- Each weight in percent of their sum, 3 decimals; 0 everywhere when the sum is 0. -#}
arrayMap(
            weight -> if(arraySum({{ weights }}) > 0, round(100 * weight / arraySum({{ weights }}), 3), 0.),
            {{ weights }}
        )
{%- endmacro %}

{% macro age_figures(weights) -%}
{#-
    Gender and age columns of an array of 14 non-negative weights in the order of age_group_keys(): percent of their
    sum, 0 everywhere (and no gender split) when the sum is 0.
-#}
if(arraySum({{ weights }}) > 0, round(
            100 * arraySum(arraySlice({{ weights }}, 1, 7)) / arraySum({{ weights }}), 2
        ), null) as male_followers_perc,
        if(arraySum({{ weights }}) > 0, round(
            100 * arraySum(arraySlice({{ weights }}, 8, 7)) / arraySum({{ weights }}), 2
        ), null) as female_followers_perc,
        {{ sql_list(age_group_keys()) }} as age_groups,
        {{ shares_of_sum(weights) }} as age_group_percs,
{%- endmacro %}

{% macro city_figures(cities) -%}
{#- City columns of an array of (name, weight), largest first: percent of the sum. -#}
arrayMap(city -> city.1, {{ cities }}) as cities,
        arrayMap(
            city -> round(100 * city.2 / arraySum(item -> item.2, {{ cities }}), 2), {{ cities }}
        ) as city_percs,
{%- endmacro %}

{% macro market_countries() -%}
{#- Country columns of a source that knows the audience only as that of the market. -#}
['{{ var("market_country") }}'] as countries,
        [100.] as country_percs
{%- endmacro %}
