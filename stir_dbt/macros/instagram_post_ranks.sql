{% macro instagram_post_ranks(posts) -%}
{#-
    Recency ranks of posts inside their profile, over all posts and inside reels or static.

    posts: relation with one row per post. Ties are broken by short code, so that ranks are dense and "the 12 newest"
    is exactly 12. A publish time in the future counts as unknown: such a post ranks after all dated ones.
-#}
with

dated_posts as (
    select
        post_shortcode,
        profile_id,
        post_class,
        publish_time,
        if(publish_time > {{ stir_now() }}, toDateTime('{{ var('unknown_publish_time') }}', 'UTC'), publish_time)
            as ranked_time
    from {{ posts }}
),

final as (
    select
        post_shortcode,
        profile_id,
        post_class,
        publish_time,
        toUInt32(row_number() over (
            partition by profile_id
            order by ranked_time desc, post_shortcode
        )) as post_rank,
        toUInt32(row_number() over (
            partition by profile_id, post_class
            order by ranked_time desc, post_shortcode
        )) as post_rank_by_class
    from dated_posts
)

select *
from final
{%- endmacro %}

{% macro instagram_posts_with_ranks(posts, ranks, with_reach) -%}
{#-
    The posts with their recency ranks (0 = not ranked yet); everything else comes from the post model.

    with_reach: the post model has estimates.
-#}
with

posts as (
    select *
    from {{ posts }}
),

ranks as (
    select post_shortcode, post_rank, post_rank_by_class
    from {{ ranks }}
),

final as (
    select
        p.post_shortcode as post_shortcode,
        toUInt32(coalesce(r.post_rank, 0)) as post_rank,
        toUInt32(coalesce(r.post_rank_by_class, 0)) as post_rank_by_class,
        p.profile_id as profile_id,
        p.handle as handle,
        p.post_class as post_class,
        p.post_type as post_type,
        p.likes as likes,
        p.comments as comments,
        p.views as views,
        p.plays as plays,
        p.engagement as engagement,
        p.publish_time as publish_time
        {%- if with_reach %},
        p.reach as reach,
        p.impressions as impressions
        {%- endif %}
    from posts as p
    left join ranks as r
        on p.post_shortcode = r.post_shortcode
)

select *
from final
{%- endmacro %}

{% macro instagram_recent_post_stats(posts_with_ranks) -%}
{#-
    The newest posts of each class of every profile, with the account's counters, estimates and engagement rate.

    posts_with_ranks: relation of instagram_posts_with_ranks(). Posts without a known author belong to no profile.
-#}
with

recent_posts as (
    select *
    from {{ posts_with_ranks }}
    where profile_id != ''
        and {{ is_recent_post('post_rank_by_class') }}
),

accounts as (
    select
        profile_id as account_id,
        argMax((handle, followers, following), updated_at) as current_state
    from {{ ref('stg_beat_instagram_account') }}
    group by account_id
),

joined_posts as (
    select
        p.*,
        coalesce(nullIf(tupleElement(a.current_state, 1), ''), p.handle) as current_handle,
        coalesce(tupleElement(a.current_state, 2), 0) as follower_count,
        coalesce(tupleElement(a.current_state, 3), 0) as following_count
    from recent_posts as p
    left join accounts as a
        on p.profile_id = a.account_id
),

final as (
    select
        post_shortcode,
        profile_id,
        current_handle as handle,
        follower_count as followers,
        following_count as following,
        post_type,
        post_class,
        likes,
        comments,
        views,
        plays,
        publish_time,
        post_rank,
        post_rank_by_class,
        engagement,
        {{ estimated_reach('post_class', 'likes', 'plays', 'follower_count') }} as reach,
        {{ estimated_impressions('post_class', 'likes', 'plays') }} as impressions,
        {{ engagement_rate('engagement', 'follower_count') }} as er
    from joined_posts
)

select *
from final
{%- endmacro %}
