{{ config(order_by='(month, profile_id)') }}
{{ instagram_period_series('month') }}

select
    period_start as month,
    profile_id,
    coalesce(series.views, 0) as views,
    coalesce(series.likes, 0) as likes,
    coalesce(series.comments, 0) as comments,
    coalesce(series.engagement, 0) as engagement,
    coalesce(series.plays, 0) as plays,
    plays_total as total_plays,
    plays_total - coalesce(series.plays, 0) as prev_plays,
    previous_period_plays as prev_month_plays,
    followers,
    coalesce(previous_followers, 0) as prev_followers,
    followers_change,
    toInt64(series.uploads) as uploads,
    coalesce(series.avg_views, 0) as avg_views,
    coalesce(series.avg_likes, 0) as avg_likes,
    coalesce(series.avg_comments, 0) as avg_comments,
    coalesce(series.avg_plays, 0) as avg_plays,
    coalesce(series.engagement_rate, 0) as avg_er
from series
