{{ config(order_by='(month, platform_id)') }}
{%- set orders = {
    'followers': ['followers', 'followers_change', 'views', 'platform_id'],
    'followers_change': ['followers_change', 'followers', 'views', 'platform_id'],
    'views': ['views', 'followers', 'followers_change', 'platform_id'],
} %}

with mart_yt_leaderboard_base as (
    select
        *,
        lagInFrame(views) over (
            partition by channel_id order by month rows between unbounded preceding and current row
        ) as views_of_row_before
    from {{ ref('mart_yt_leaderboard_base') }}
),

mart_youtube_account as (
    select
        channelid,
        username,
        title,
        category,
        language,
        country,
        profile_type
    from {{ ref('mart_youtube_account') }}
    where country = '{{ var("market_country") }}'
    order by updated_at desc
    limit 1 by channelid
),

rows_of_board as (
    select
        base.month as month,
        base.channel_id as platform_id,
        coalesce(nullIf(account.username, ''), account.title) as handle,
        account.category as category,
        account.language as language,
        account.country as country,
        coalesce(nullIf(account.profile_type, ''), 'CREATOR') as profile_type,
        base.views as views,
        base.prev_views as prev_views,
        if(base.last_month_available = 1, coalesce(base.views_of_row_before, 0), 0) as prev_month_views,
        base.uploads as uploads,
        base.followers as followers,
        base.prev_followers as prev_followers,
        base.followers_change as followers_change
    from mart_yt_leaderboard_base as base
    inner join mart_youtube_account as account
        on base.channel_id = account.channelid
    -- Both months without subscribers: the channel hides them, and is ranked by its views all the same.
    where base.views > 0 and (base.prev_followers != 0 or base.followers = 0)
),

{{ board_ctes('rows_of_board', orders, ['platform_id']) }}

select
    month,
    toLowCardinality('YOUTUBE') as platform,
    platform_id,
    handle,
    category,
    language,
    country,
    profile_type,
    views,
    views as yt_views,
    toUInt8(0) as ia_views,
    prev_views,
    prev_month_views,
    uploads,
    followers,
    prev_followers,
    followers_change,
    toUInt8(0) as engagement_rate,
    toUInt8(0) as avg_likes,
    toUInt8(0) as avg_comments,
    toUInt8(0) as avg_views,
    toUInt8(0) as likes,
    toUInt8(0) as comments,
    toUInt8(0) as engagement,
    {%- for rank in board_ranks(orders.keys() | list) %}
    {{ rank }},
    {{ rank }}_prev,
    {%- endfor %}
    p_month,
    last_month_available
from board
