{{ config(order_by='(platform_id, date)') }}

with mart_yt_leaderboard_base_raw as (
    select * from {{ ref('mart_yt_leaderboard_base_raw') }}
),

with_previous as (
    select
        *,
        lagInFrame(toNullable(month)) over history as previous_month,
        lagInFrame(toNullable(lifetime_followers)) over history as previous_followers,
        lagInFrame(toNullable(lifetime_views)) over history as previous_views,
        lagInFrame(toNullable(lifetime_uploads)) over history as previous_uploads
    from mart_yt_leaderboard_base_raw
    window history as (partition by channel_id order by month rows between unbounded preceding and current row)
),

gains as (
    select
        *,
        {{ is_next_period('previous_month', 'month', 'month') }} as is_consecutive,
        if(is_consecutive, lifetime_followers - previous_followers, null) as followers_gain,
        if(is_consecutive, lifetime_views - previous_views, null) as views_gain,
        if(is_consecutive, lifetime_uploads - previous_uploads, null) as uploads_gain
    from with_previous
)

select
    month as date,
    previous_month as p_date,
    toLowCardinality('YOUTUBE') as platform,
    channel_id as platform_id,
    lifetime_views as views,
    lifetime_followers as followers,
    lifetime_uploads as uploads,
    {{ not_negative('followers_gain') }} as followers_change,
    {{ not_negative('views_gain') }} as views_change,
    {{ not_negative('uploads_gain') }} as uploads_change,
    {{- youtube_series_columns(monthly=true) }}
from gains
