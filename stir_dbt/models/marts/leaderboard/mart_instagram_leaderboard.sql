{{ config(order_by='(month, platform_id)') }}
{%- set orders = {
    'followers': ['followers', 'platform_id'],
    'followers_change': ['followers_change', 'platform_id'],
    'views': ['views', 'platform_id'],
    'plays': ['plays', 'platform_id'],
} %}

with mart_insta_leaderboard_base as (
    select * from {{ ref('mart_insta_leaderboard_base') }}
    where prev_followers != 0 and plays > 0
),

mart_instagram_account as (
    select
        ig_id,
        handle,
        primary_category,
        primary_language,
        country,
        profile_type
    from {{ ref('mart_instagram_account') }}
    order by updated_at desc, handle
    limit 1 by ig_id
),

rows_of_board as (
    select
        base.month as month,
        base.profile_id as platform_id,
        account.handle as handle,
        account.primary_category as category,
        account.primary_language as language,
        account.country as country,
        coalesce(nullIf(account.profile_type, ''), 'CREATOR') as profile_type,
        base.views as views,
        base.followers as followers,
        base.prev_followers as prev_followers,
        base.followers_change as followers_change,
        base.uploads as uploads,
        base.likes as likes,
        base.comments as comments,
        base.plays as plays,
        base.prev_month_plays as prev_plays,
        base.engagement as engagement,
        base.avg_views as avg_views,
        base.avg_likes as avg_likes,
        base.avg_plays as avg_plays,
        base.avg_comments as avg_comments,
        base.avg_er as engagement_rate
    from mart_insta_leaderboard_base as base
    inner join mart_instagram_account as account
        on base.profile_id = account.ig_id
    where account.country = '{{ var("market_country") }}' and account.handle != ''
),

{{ board_ctes('rows_of_board', orders, ['platform_id']) }}

select
    month,
    toLowCardinality('INSTAGRAM') as platform,
    platform_id,
    handle,
    category,
    language,
    country,
    profile_type,
    views,
    views as ia_views,
    toUInt8(0) as yt_views,
    followers,
    prev_followers,
    followers_change,
    uploads,
    likes,
    comments,
    plays,
    prev_plays,
    engagement,
    avg_views,
    avg_likes,
    avg_plays,
    avg_comments,
    engagement_rate,
    toUInt8(1) as enabled,
    {%- for rank in board_ranks(orders.keys() | list) %}
    {{ rank }},
    {{ rank }}_prev,
    {%- endfor %}
    p_month,
    last_month_available
from board
