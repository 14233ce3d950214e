{{ config(order_by='(month, platform, profile_platform, platform_id)') }}
{#- Metrics with a rank, as the product names them; a board without one of them says 0, which means "no rank". -#}
{%- set metrics = ['followers', 'followers_change', 'views', 'plays'] -%}
{%- set boards = [
    {'model': 'mart_instagram_leaderboard', 'platform': 'INSTAGRAM', 'profile_platform': "'IA'", 'prev_views': '0',
        'has_plays': true},
    {'model': 'mart_youtube_leaderboard', 'platform': 'YOUTUBE', 'profile_platform': "'YA'",
        'prev_views': 'prev_month_views', 'has_plays': false},
    {'model': 'mart_cross_platform_leaderboard', 'platform': 'ALL', 'profile_platform': 'profile_platform',
        'prev_views': 'prev_views', 'has_plays': false},
] -%}
{#- Circles whose ranks are also columns of their own: all but those by profile type. -#}
{%- set plain_scopes = board_scopes() | rejectattr('suffix', 'in', [
    '_by_profile', '_by_cat_profile', '_by_lang_profile', '_by_cat_lang_profile',
]) | list %}

with boards as (
    {%- for board in boards %}
    select
        month,
        {{ board.profile_platform }} as profile_platform,
        '{{ board.platform }}' as platform,
        platform_id,
        toNullable(handle) as handle,
        toNullable(language) as language,
        toNullable(category) as category,
        toNullable(country) as country,
        toNullable(profile_type) as profile_type,
        toNullable(toFloat64(engagement_rate)) as engagement_rate,
        toNullable(toFloat64(avg_likes)) as avg_likes,
        toNullable(toFloat64(avg_comments)) as avg_comments,
        toNullable(toFloat64(avg_views)) as avg_views,
        toNullable(toFloat64({{ 'avg_plays' if board.has_plays else '0' }})) as avg_plays,
        toNullable(toInt64(followers)) as followers,
        toNullable(toInt64(views)) as views,
        toNullable(toInt64({{ board.prev_views }})) as views_before,
        toNullable(toInt64(ia_views)) as ia_views,
        toNullable(toInt64(yt_views)) as yt_views,
        toNullable(toInt64(uploads)) as uploads,
        toNullable(toInt64(prev_followers)) as prev_followers,
        toNullable(toInt64(followers_change)) as followers_change,
        toNullable(toInt64(likes)) as likes,
        toNullable(toInt64(comments)) as comments,
        toNullable(toInt64({{ 'plays' if board.has_plays else '0' }})) as plays,
        toNullable(toInt64({{ 'prev_plays' if board.has_plays else '0' }})) as plays_before,
        toNullable(toInt64(engagement)) as engagement,
        {%- for kind in ['', '_prev'] %}
        [
            {%- for rank in board_ranks(metrics) %}
            {%- if board.has_plays or not rank.startswith('plays') %}
            toUInt64(coalesce({{ rank }}{{ kind }}, 0))
            {%- else %}
            toUInt64(0)
            {%- endif %}{{ ',' if not loop.last }}
            {%- endfor %}
        ] as {{ 'ranks' if kind == '' else 'ranks_before' }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref(board.model) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    month,
    profile_platform,
    platform,
    platform_id,
    handle,
    language,
    category,
    country,
    profile_type,
    engagement_rate,
    avg_likes,
    avg_comments,
    avg_views,
    avg_plays,
    followers,
    views,
    views_before as prev_views,
    ia_views,
    yt_views,
    uploads,
    prev_followers,
    followers_change,
    likes,
    comments,
    plays,
    plays_before as prev_plays,
    engagement,
    {%- for rank in board_ranks(metrics) %}
    {%- if rank in board_ranks(metrics, plain_scopes) %}
    ranks[{{ loop.index }}] as {{ rank }},
    {%- endif %}
    {%- endfor %}
    mapFromArrays({{ sql_list(board_ranks(metrics)) }}, ranks_before) as last_month_ranks,
    mapFromArrays({{ sql_list(board_ranks(metrics)) }}, ranks) as current_month_ranks
from boards
