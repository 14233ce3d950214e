{% macro instagram_period_series(period) %}
{#-
    The Instagram series by week or by month, as CTEs; a model selects its columns `from series`. One row per profile
    and period with a follower observation (see doc follower_observation); post measures are NULL in a period
    without posts.

    period: 'week' (starts on Sunday) or 'month'.
-#}
with profile_log_events as (
    select
        profile_id,
        event_timestamp,
        insert_timestamp,
        JSONExtract(metrics, 'followers', 'Nullable(Int64)') as followers,
        coalesce(JSONExtract(metrics, 'following', 'Nullable(Int64)'), 0) as following
    from {{ source('_e', 'profile_log_events') }}
    where
        platform = 'INSTAGRAM'
        and profile_id != ''
        and event_timestamp <= {{ stir_now() }}
        and JSONHas(metrics, 'followers')
),

instagram_page_stats as (
    select
        page_id as profile_id,
        {{ month_of_text('month') }} as month_start,
        toInt64OrNull(prev_followers) + toInt64OrNull(instagram_page_stats.followers) as closing_followers
    from {{ source('vidooly', 'instagram_page_stats') }} as instagram_page_stats
),

stg_vidooly_instagram_profiles as (
    select
        toString(profile_id) as profile_id,
        toDate('{{ var("vidooly_instagram_snapshot_date") }}') as snapshot_date,
        toInt64OrNull(profiles.followers) as snapshot_followers
    from {{ source('dbt', 'stg_vidooly_instagram_profiles') }} as profiles
),

mart_instagram_all_posts_with_ranks as (
    select * from {{ ref('mart_instagram_all_posts_with_ranks') }}
    where publish_time <= {{ stir_now() }}
),

-- The last observation of the period, by the time of the event: late and repeated events change nothing.
event_observations as (
    select
        profile_id,
        {{ period_start('event_timestamp', period) }} as period_start,
        argMax((assumeNotNull(followers), following), (event_timestamp, insert_timestamp)) as counters
    from profile_log_events
    where followers is not null
    group by profile_id, period_start
),

follower_observations as (
    select profile_id, period_start, counters, 3 as precedence
    from event_observations
    union all
    select
        profile_id,
        {{ period_start('assumeNotNull(month_start)', period) }} as period_start,
        (assumeNotNull(closing_followers), toInt64(0)) as counters,
        2 as precedence
    from instagram_page_stats
    where month_start <= toDate({{ stir_now() }}) and closing_followers is not null
    union all
    select
        profile_id,
        {{ period_start('snapshot_date', period) }} as period_start,
        (assumeNotNull(snapshot_followers), toInt64(0)) as counters,
        1 as precedence
    from stg_vidooly_instagram_profiles
    where snapshot_date <= toDate({{ stir_now() }}) and snapshot_followers is not null
),

follower_periods as (
    select
        profile_id,
        period_start,
        argMax(counters, (precedence, counters)) as best
    from follower_observations
    group by profile_id, period_start
),

post_periods as (
    select
        profile_id,
        {{ period_start('publish_time', period) }} as period_start,
        uniqExact(post_shortcode) as uploads,
        sum(posts.likes) as likes,
        sum(posts.comments) as comments,
        sum(posts.views) as views,
        sum(posts.plays) as plays,
        sum(posts.reach) as reach,
        sum(posts.impressions) as impressions
    from mart_instagram_all_posts_with_ranks as posts
    group by profile_id, period_start
),

-- Both sides stacked, not joined: the running total must also count the periods without a follower observation.
all_periods as (
    select
        profile_id,
        period_start,
        max(p_followers) as followers,
        max(p_following) as following,
        max(p_uploads) as uploads,
        max(p_likes) as likes,
        max(p_comments) as comments,
        max(p_views) as views,
        max(p_plays) as plays,
        max(p_reach) as reach,
        max(p_impressions) as impressions
    from (
        select
            profile_id,
            period_start,
            toNullable(best.1) as p_followers,
            toNullable(best.2) as p_following,
            cast(null as Nullable(UInt64)) as p_uploads,
            cast(null as Nullable(Int64)) as p_likes,
            cast(null as Nullable(Int64)) as p_comments,
            cast(null as Nullable(Int64)) as p_views,
            cast(null as Nullable(Int64)) as p_plays,
            cast(null as Nullable(Float64)) as p_reach,
            cast(null as Nullable(Float64)) as p_impressions
        from follower_periods
        union all
        select
            profile_id,
            period_start,
            null,
            null,
            uploads,
            likes,
            comments,
            views,
            plays,
            reach,
            impressions
        from post_periods
    ) as both_sides
    group by profile_id, period_start
),

running as (
    select
        *,
        sum(coalesce(plays, 0)) over history as plays_total,
        if(
            {{ is_next_period('lagInFrame(toNullable(period_start)) over history', 'period_start', period) }},
            coalesce(lagInFrame(plays) over history, 0),
            0
        ) as previous_period_plays
    from all_periods
    window history as (partition by profile_id order by period_start rows between unbounded preceding and current row)
),

with_previous as (
    select
        *,
        lagInFrame(toNullable(period_start)) over observations as previous_start,
        lagInFrame(followers) over observations as previous_followers
    from running
    where followers is not null
    window observations as (
        partition by profile_id order by period_start rows between unbounded preceding and current row
    )
),

series as (
    select
        profile_id,
        period_start,
        previous_start,
        assumeNotNull(with_previous.followers) as followers,
        coalesce(with_previous.following, 0) as following,
        previous_followers,
        if(
            {{ is_next_period('previous_start', 'period_start', period) }},
            with_previous.followers - previous_followers,
            null
        ) as followers_change,
        coalesce(with_previous.uploads, 0) as uploads,
        likes,
        comments,
        views,
        plays,
        reach,
        impressions,
        likes + comments as engagement,
        plays_total,
        previous_period_plays,
        likes / nullIf(with_previous.uploads, 0) as avg_likes,
        comments / nullIf(with_previous.uploads, 0) as avg_comments,
        views / nullIf(with_previous.uploads, 0) as avg_views,
        plays / nullIf(with_previous.uploads, 0) as avg_plays,
        (likes + comments) / nullIf(with_previous.uploads, 0) / nullIf(with_previous.followers, 0) as engagement_rate
    from with_previous
)
{% endmacro %}

{% macro instagram_account_series(period) %}
{#- Body of mart_insta_account_weekly and mart_insta_account_monthly; only the weekly one carries reach. -#}
{{ config(order_by='(platform_id, date)') }}
{{ instagram_period_series(period) }}

select
    period_start as date,
    previous_start as p_date,
    toLowCardinality('INSTAGRAM') as platform,
    profile_id as platform_id,
    views,
    likes,
    comments,
    engagement,
    plays,
    {%- if period == 'week' %}
    reach,
    impressions,
    {%- endif %}
    plays_total,
    followers,
    following,
    followers_change,
    avg_views,
    avg_likes,
    avg_comments,
    avg_plays,
    engagement_rate,
    uploads,
    toUInt8(1) as enabled,
    {{ 'true' if period == 'month' else 'false' }} as monthly_stats
from series
{% endmacro %}
