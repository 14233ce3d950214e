{{ config(order_by='(platform, platform_id, monthly_stats, date)') }}

with youtube_series as (
    select * from {{ ref('mart_yt_account_weekly') }}
    union all
    select * from {{ ref('mart_yt_account_monthly') }}
),

instagram_series as (
    {%- for series in ['mart_insta_account_weekly', 'mart_insta_account_monthly'] %}
    select
        date,
        p_date,
        platform_id,
        likes,
        comments,
        engagement,
        plays,
        plays_total,
        followers,
        following,
        avg_views,
        avg_likes,
        avg_comments,
        engagement_rate,
        avg_plays,
        uploads,
        followers_change,
        monthly_stats
    from {{ ref(series) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

all_series as (
    select
        date,
        p_date,
        'YOUTUBE' as platform,
        platform_id,
        {{ not_negative('youtube_series.views') }} as views_total,
        coalesce(views_change, 0) as views,
        toNullable(toInt64(youtube_series.likes)) as likes,
        toNullable(toInt64(youtube_series.comments)) as comments,
        toNullable(toInt64(youtube_series.engagement)) as engagement,
        toNullable(toInt64(youtube_series.plays)) as plays,
        toNullable(toInt64(0)) as plays_total,
        youtube_series.followers as followers,
        toNullable(toInt64(youtube_series.following)) as following,
        toNullable(toFloat64(youtube_series.avg_views)) as avg_views,
        toNullable(toFloat64(youtube_series.avg_likes)) as avg_likes,
        toNullable(toFloat64(youtube_series.avg_comments)) as avg_comments,
        toNullable(toFloat64(youtube_series.engagement_rate)) as engagement_rate,
        toNullable(toFloat64(youtube_series.avg_plays)) as avg_plays,
        uploads_change as uploads,
        followers_change,
        monthly_stats
    from youtube_series
    where platform_id in (
        select channelid from {{ ref('mart_youtube_account') }} where country = '{{ var("market_country") }}'
    )
    union all
    select
        date,
        p_date,
        'INSTAGRAM' as platform,
        platform_id,
        toInt64(0) as views_total,
        toInt64(0) as views,
        likes,
        comments,
        engagement,
        plays,
        toNullable(plays_total) as plays_total,
        toNullable(instagram_series.followers) as followers,
        toNullable(instagram_series.following) as following,
        avg_views,
        avg_likes,
        avg_comments,
        engagement_rate,
        avg_plays,
        toNullable(toInt64(instagram_series.uploads)) as uploads,
        followers_change,
        monthly_stats
    from instagram_series
    where platform_id in (
        select ig_id from {{ ref('mart_instagram_account') }} where country = '{{ var("market_country") }}'
    )
)

select
    date,
    p_date,
    platform,
    platform_id,
    views_total,
    views,
    likes,
    comments,
    engagement,
    plays,
    plays_total,
    followers,
    following,
    avg_views,
    avg_likes,
    avg_comments,
    engagement_rate,
    avg_plays,
    uploads,
    followers_change,
    monthly_stats
from all_series
