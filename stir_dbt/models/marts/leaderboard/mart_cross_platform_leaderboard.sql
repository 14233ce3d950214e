{{ config(order_by='(month, profile_platform, platform_id)') }}
{%- set orders = {
    'followers': ['followers', 'platform_id'],
    'followers_change': ['followers_change', 'platform_id'],
    'views': ['views', 'platform_id'],
} %}

with mart_instagram_leaderboard as (
    select * from {{ ref('mart_instagram_leaderboard') }}
),

mart_linked_socials as (
    select
        channel_id,
        profile_id,
        handle
    from {{ ref('mart_linked_socials') }}
    where channel_id != '' and profile_id != ''
    order by total_followers desc, profile_id
    limit 1 by channel_id
),

mart_youtube_leaderboard as (
    select * from {{ ref('mart_youtube_leaderboard') }}
),

sides as (
    select
        month,
        'IA' as side_platform,
        platform_id as side_id,
        platform_id as member_id,
        toNullable(ia.handle) as side_handle,
        ia.category as side_category,
        ia.language as side_language,
        ia.profile_type as side_type,
        ia.plays as side_views,
        ia.prev_plays as side_prev_views,
        ia.plays as side_ia_views,
        toInt64(0) as side_yt_views,
        ia.uploads as side_uploads,
        ia.followers as side_followers,
        ia.prev_followers as side_prev_followers,
        ia.followers_change as side_change,
        ia.likes as side_likes,
        ia.comments as side_comments,
        1 as priority
    from mart_instagram_leaderboard as ia
    union all
    select
        month,
        if(linked.channel_id is null, 'YA', 'IA') as side_platform,
        coalesce(linked.profile_id, ya.platform_id) as side_id,
        ya.platform_id as member_id,
        if(linked.channel_id is null, ya.handle, linked.handle) as side_handle,
        ya.category as side_category,
        ya.language as side_language,
        ya.profile_type as side_type,
        ya.views as side_views,
        ya.prev_month_views as side_prev_views,
        toInt64(0) as side_ia_views,
        ya.views as side_yt_views,
        ya.uploads as side_uploads,
        ya.followers as side_followers,
        ya.prev_followers as side_prev_followers,
        ya.followers_change as side_change,
        toInt64(0) as side_likes,
        toInt64(0) as side_comments,
        2 as priority
    from mart_youtube_leaderboard as ya
    left join mart_linked_socials as linked
        on ya.platform_id = linked.channel_id
),

-- The attributes come from one row: the channel when there is one, of several channels the largest.
rows_of_board as (
    select
        month,
        side_platform as profile_platform,
        side_id as platform_id,
        argMin(side_handle, (priority, member_id)) as handle,
        argMax((side_category, side_language), (priority, side_followers, member_id)) as attributes,
        attributes.1 as category,
        attributes.2 as language,
        max(side_type) as profile_type,
        toInt64(sum(coalesce(side_views, 0))) as views,
        toInt64(sum(coalesce(side_prev_views, 0))) as prev_views,
        toInt64(sum(coalesce(side_uploads, 0))) as uploads,
        toInt64(sum(coalesce(side_ia_views, 0))) as ia_views,
        toInt64(sum(coalesce(side_yt_views, 0))) as yt_views,
        toInt64(sum(side_followers)) as followers,
        toInt64(sum(side_prev_followers)) as prev_followers,
        toInt64(sum(coalesce(side_change, 0))) as followers_change,
        toInt64(sum(side_likes)) as likes,
        toInt64(sum(side_comments)) as comments
    from sides
    group by month, side_platform, side_id
),

{{ board_ctes('rows_of_board', orders, ['profile_platform', 'platform_id']) }}

select
    month,
    toLowCardinality('ALL') as platform,
    profile_platform,
    platform_id,
    handle,
    category,
    language,
    profile_type,
    '{{ var("market_country") }}' as country,
    views,
    prev_views,
    uploads,
    ia_views,
    yt_views,
    followers,
    prev_followers,
    followers_change,
    likes,
    comments,
    toUInt8(0) as avg_likes,
    toUInt8(0) as avg_comments,
    toUInt8(0) as avg_views,
    toUInt8(0) as engagement,
    toUInt8(0) as engagement_rate,
    {%- for rank in board_ranks(orders.keys() | list) %}
    {{ rank }},
    {{ rank }}_prev,
    {%- endfor %}
    p_month,
    last_month_available
from board
