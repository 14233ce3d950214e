{% macro board_scopes() -%}
{#- The eight circles a rank is counted in, within a month: suffix of the column -> attributes of the circle. -#}
{{ return([
    {'suffix': '', 'attributes': []},
    {'suffix': '_by_cat', 'attributes': ['category']},
    {'suffix': '_by_lang', 'attributes': ['language']},
    {'suffix': '_by_cat_lang', 'attributes': ['category', 'language']},
    {'suffix': '_by_profile', 'attributes': ['profile_type']},
    {'suffix': '_by_cat_profile', 'attributes': ['category', 'profile_type']},
    {'suffix': '_by_lang_profile', 'attributes': ['language', 'profile_type']},
    {'suffix': '_by_cat_lang_profile', 'attributes': ['category', 'language', 'profile_type']},
]) }}
{%- endmacro %}

{% macro board_ranks(metrics, scopes=none) -%}
{#- Names of the rank columns, metric by metric within a scope: followers_rank, ..., plays_rank_by_cat_lang_profile. -#}
{%- set names = [] -%}
{%- for scope in scopes or board_scopes() -%}
    {%- for metric in metrics -%}
        {%- do names.append(metric ~ '_rank' ~ scope.suffix) -%}
    {%- endfor -%}
{%- endfor -%}
{{ return(names) }}
{%- endmacro %}

{% macro board_ctes(rows, orders, identity) %}
{#-
    CTEs from the rows of a board to `board`: all ranks of the month, the cut, and the ranks of the month before
    (docs leaderboard_rank, leaderboard_cut, previous_rank).

    rows:     CTE with month, category, language, profile_type, the identity columns and the metrics.
    orders:   metric -> columns that order it, all descending, NULL last; must end in something unique in a month.
    identity: columns that name a profile from month to month.
-#}
{%- set metrics = orders.keys() | list -%}
{%- set ranks = board_ranks(metrics) -%}
ranked as (
    select
        *
        {%- for scope in board_scopes() %}
        {%- for metric in metrics %},
        row_number() over (
            partition by {{ (['month'] + scope.attributes) | join(', ') }}
            order by
                {%- for column in orders[metric] %}
                {{ column }} desc nulls last{{ ',' if not loop.last }}
                {%- endfor %}
        ) as {{ metric }}_rank{{ scope.suffix }}
        {%- endfor %}
        {%- endfor %}
    from {{ rows }}
),

-- A rank in a narrower circle is never worse than in a wider one, so the plain monthly ranks need no look.
kept as (
    select *
    from ranked
    where least(
        {%- for scope in board_scopes() if scope.suffix %}
        {%- set last_scope = loop.last %}
        {%- for metric in metrics %}
        {{ metric }}_rank{{ scope.suffix }}{{ ',' if not (last_scope and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    ) < {{ var('leaderboard_rank_below') }}
),

with_previous as (
    select
        *,
        lagInFrame(toNullable(month)) over history as p_month
        {%- for rank in ranks %},
        lagInFrame(toNullable({{ rank }})) over history as {{ rank }}_before
        {%- endfor %}
    from kept
    window history as (
        partition by {{ identity | join(', ') }} order by month rows between unbounded preceding and current row
    )
),

board as (
    select
        *,
        toUInt8({{ is_next_period('p_month', 'month', 'month') }}) as last_month_available
        {%- for rank in ranks %},
        if(last_month_available = 1, {{ rank }}_before, null) as {{ rank }}_prev
        {%- endfor %}
    from with_previous
)
{%- endmacro %}
