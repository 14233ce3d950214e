{{ config(order_by='(month, channel_id)') }}

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

checked as (
    select
        *,
        {{ is_next_period('previous_month', 'month', 'month') }} as is_consecutive
    from with_previous
)

select
    month,
    channel_id,
    coalesce(lifetime_followers, 0) as followers,
    lifetime_views,
    coalesce(checked.lifetime_uploads, 0) as lifetime_uploads,
    coalesce(previous_followers, 0) as prev_followers,
    coalesce(previous_views, 0) as prev_views,
    coalesce(previous_uploads, 0) as prev_uploads,
    if(is_consecutive, lifetime_followers - previous_followers, null) as followers_change,
    if(is_consecutive, lifetime_views - previous_views, null) as views,
    if(is_consecutive, checked.lifetime_uploads - previous_uploads, null) as uploads,
    previous_month as p_month,
    toUInt8(is_consecutive) as last_month_available
from checked
