{% macro instagram_account_summary(recent_posts, keyed_by, mean_reel_plays_over, with_likes_spread) -%}
{#-
    Means over the newest posts of every account, with and without outliers, and the estimated reach of a story.

    recent_posts:         relation of instagram_recent_post_stats().
    keyed_by:             'profile_id' or 'handle' (compared in lower case): what groups, ranks and joins the account.
    mean_reel_plays_over: 'all_reels', or 'reels_with_plays' = a reel without plays is one whose plays are unknown.
    with_likes_spread:    add likes_spread_percentage.
-#}
{%- set key = 'lower(handle)' if keyed_by == 'handle' else 'profile_id' -%}
with

posts as (
    select
        {{ key }} as account_key,
        post_shortcode,
        publish_time,
        post_class = 'reels' as is_reel,
        {{ is_recent_post('post_rank') }} as is_recent,
        likes,
        comments,
        views,
        plays,
        reach,
        impressions,
        engagement
    from {{ recent_posts }}
    where {{ key }} != ''
),

ranked_posts as (
    select
        *,
        row_number() over (
            partition by account_key, is_recent
            order by likes desc, comments desc, publish_time desc, post_shortcode
        ) as likes_rank,
        count() over (partition by account_key, is_recent) as recent_count,
        row_number() over (
            partition by account_key, is_reel
            order by plays desc, likes desc, comments desc, publish_time desc, post_shortcode
        ) as class_rank,
        count() over (partition by account_key, is_reel) as class_count
    from posts
),

bounded_posts as (
    select
        *,
        is_recent and {{ is_within_outlier_bounds('likes_rank', 'recent_count') }} as is_kept,
        {{ is_within_outlier_bounds('class_rank', 'class_count') }} as is_kept_in_class
    from ranked_posts
),

sums as (
    select
        account_key,
        countIf(is_recent) as recent_posts,
        countIf(is_reel) as recent_reels,
        countIf(not is_reel) as recent_statics,
        countIf(is_reel and plays > 0) as reels_with_plays,
        maxIf(likes, is_recent) as max_likes,
        {%- for measure in ['likes', 'comments', 'reach', 'impressions', 'engagement'] %}
        sumIf({{ measure }}, is_recent) as {{ measure }}_sum,
        sumIf({{ measure }}, is_kept) as {{ measure }}_kept_sum,
        {%- endfor %}
        {%- for measure in ['comments', 'likes', 'views', 'reach', 'impressions', 'plays', 'engagement'] %}
        sumIf({{ measure }}, is_reel) as reels_{{ measure }}_sum,
        sumIf({{ measure }}, is_reel and is_kept_in_class) as reels_{{ measure }}_kept_sum,
        sumIf({{ measure }}, not is_reel) as statics_{{ measure }}_sum,
        sumIf({{ measure }}, not is_reel and is_kept_in_class) as statics_{{ measure }}_kept_sum,
        {%- endfor %}
        countIf(is_kept) as posts_kept,
        countIf(is_reel and is_kept_in_class) as reels_kept,
        countIf(is_reel and is_kept_in_class and plays > 0) as reels_kept_with_plays,
        countIf(not is_reel and is_kept_in_class) as statics_kept
    from bounded_posts
    group by account_key
),

accounts as (
    select
        {{ key }} as account_key,
        argMax((handle, followers, following, media_count), updated_at) as state
    from {{ ref('stg_beat_instagram_account') }}
    group by account_key
),

account_sums as (
    select
        s.*,
        coalesce(nullIf(tupleElement(a.state, 1), ''), s.account_key) as account_handle,
        toInt64(coalesce(tupleElement(a.state, 2), 0)) as follower_count,
        toInt64(coalesce(tupleElement(a.state, 3), 0)) as following_count,
        toInt64(coalesce(tupleElement(a.state, 4), 0)) as media_total
    from sums as s
    left join accounts as a
        on s.account_key = a.account_key
),

{#- A reel without plays is one whose plays were not reported: one of the two readings of "mean plays". #}
{%- if mean_reel_plays_over == 'reels_with_plays' -%}
{%- set reel_plays_base = 'if(recent_reels > 0, greatest(reels_with_plays, 1), 0)' -%}
{%- set kept_reel_plays_base = 'if(reels_kept > 0, greatest(reels_kept_with_plays, 1), 0)' -%}
{%- else -%}
{%- set reel_plays_base = 'recent_reels' -%}
{%- set kept_reel_plays_base = 'reels_kept' -%}
{%- endif %}
final as (
    select
        {{ 'account_handle as handle' if keyed_by == 'handle' else 'account_key as profile_id' }},
        follower_count as followers,
        following_count as following,
        if(following_count > 0, follower_count / following_count, toFloat64(follower_count)) as ffratio,

        recent_posts,
        recent_reels,
        recent_statics,

        likes_sum / greatest(recent_posts, 1) as avg_likes,
        comments_sum / greatest(recent_posts, 1) as avg_comments,
        reach_sum / greatest(recent_posts, 1) as avg_reach,
        impressions_sum / greatest(recent_posts, 1) as avg_impressions,
        {{ mean_rate_or_null('engagement_sum', 'follower_count', 'recent_posts') }} as avg_er,
        {%- if with_likes_spread %}
        {{ mean_or_null('100 * max_likes * recent_posts', 'likes_sum') }} as likes_spread_percentage,
        {%- endif %}

        {{ mean_or_null('reels_comments_sum', 'recent_reels') }} as avg_reels_comments,
        {{ mean_or_null('reels_likes_sum', 'recent_reels') }} as avg_reels_likes,
        {{ mean_or_null('reels_views_sum', 'recent_reels') }} as avg_reels_views,
        {{ mean_or_null('reels_reach_sum', 'recent_reels') }} as avg_reels_reach,
        {{ mean_or_null('reels_impressions_sum', 'recent_reels') }} as avg_reels_impressions,
        {{ mean_or_null('reels_plays_sum', reel_plays_base) }} as avg_reels_plays,
        {{ mean_rate_or_null('reels_comments_sum + reels_plays_sum', 'follower_count', 'recent_reels') }} as reels_er,

        {{ mean_or_null('statics_comments_sum', 'recent_statics') }} as avg_statics_comments,
        {{ mean_or_null('statics_likes_sum', 'recent_statics') }} as avg_statics_likes,
        {{ mean_or_null('statics_reach_sum', 'recent_statics') }} as avg_static_reach,
        {{ mean_or_null('statics_impressions_sum', 'recent_statics') }} as avg_static_impressions,
        {{ mean_rate_or_null('statics_engagement_sum', 'follower_count', 'recent_statics') }} as avg_static_er,

        posts_kept as posts_non_outliers,
        statics_kept as statics_non_outliers,
        reels_kept as reels_non_outliers,
        reach_kept_sum as reach_non_outliers,
        likes_kept_sum as likes_non_outliers,
        comments_kept_sum as comments_non_outliers,
        impressions_kept_sum as impressions_non_outliers,

        {{ mean_or_null('reach_kept_sum', 'posts_kept') }} as avg_reach_non_outliers,
        {{ mean_rate_or_null('engagement_kept_sum', 'follower_count', 'posts_kept') }} as avg_er_non_outliers,
        {{ mean_or_null('likes_kept_sum', 'posts_kept') }} as avg_likes_non_outliers,
        {{ mean_or_null('comments_kept_sum', 'posts_kept') }} as avg_comments_non_outliers,
        {{ mean_or_null('impressions_kept_sum', 'posts_kept') }} as avg_impresions_non_outliers,

        {{ mean_or_null('reels_comments_kept_sum', 'reels_kept') }} as avg_reels_comments_non_outliers,
        {{ mean_or_null('reels_likes_kept_sum', 'reels_kept') }} as avg_reels_likes_non_outliers,
        {{ mean_or_null('reels_plays_kept_sum', kept_reel_plays_base) }} as avg_reels_plays_non_outliers,
        {{ mean_or_null('reels_views_kept_sum', 'reels_kept') }} as avg_reels_views_non_outliers,
        {{ mean_or_null('reels_reach_kept_sum', 'reels_kept') }} as avg_reels_reach_non_outliers,
        {{ mean_or_null('reels_impressions_kept_sum', 'reels_kept') }} as avg_reels_impressions_non_outliers,
        if(follower_count > 0 and reels_kept > 0, reels_engagement_kept_sum / follower_count, null)
            as reels_er_non_outliers,

        {{ mean_or_null('statics_comments_kept_sum', 'statics_kept') }} as avg_statics_comments_non_outliers,
        {{ mean_or_null('statics_likes_kept_sum', 'statics_kept') }} as avg_statics_likes_non_outliers,
        {{ mean_rate_or_null('statics_engagement_kept_sum', 'follower_count', 'statics_kept') }}
            as static_er_non_outliers,
        {{ mean_or_null('statics_reach_kept_sum', 'statics_kept') }} as static_reach_non_outliers,
        {{ mean_or_null('statics_impressions_kept_sum', 'statics_kept') }} as static_impressions_non_outliers,

        media_total as total_posts,
        if(
            engagement_sum > 0 and follower_count > 0 and recent_posts > 0,
            {{ story_reach('follower_count', '100 * engagement_sum / follower_count / recent_posts') }},
            null
        ) as story_reach
    from account_sums
)

select *
from final
{%- endmacro %}
