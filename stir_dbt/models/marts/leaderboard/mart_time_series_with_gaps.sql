{{ config(order_by='(platform, platform_id, date)') }}
{%- set columns = [
    'views', 'likes', 'comments', 'engagement', 'plays', 'followers', 'following', 'uploads', 'followers_change',
] -%}
{%- set averages = ['avg_views', 'avg_likes', 'avg_comments', 'engagement_rate', 'avg_plays'] -%}
{%- set sides = [
    {
        'platform': 'YOUTUBE', 'series': 'mart_yt_account_weekly',
        'account': 'mart_youtube_account', 'id': 'channelid',
    },
    {
        'platform': 'INSTAGRAM', 'series': 'mart_insta_account_weekly',
        'account': 'mart_instagram_account', 'id': 'ig_id',
    },
] %}

with all_series as (
    {%- for side in sides %}
    select
        series.date as date,
        '{{ side.platform }}' as platform,
        series.platform_id as platform_id,
        {%- for column in columns %}
        toNullable(toInt64(series.{{ column }})) as {{ column }},
        {%- endfor %}
        {%- for column in averages %}
        toNullable(toFloat64(series.{{ column }})) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref(side.series) }} as series
    where series.platform_id in (
        select {{ side.id }} from {{ ref(side.account) }} where country = '{{ var("market_country") }}'
    )
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from all_series
