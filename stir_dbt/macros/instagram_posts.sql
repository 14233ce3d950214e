{% macro instagram_all_posts(refreshed_within_hours, with_reach) -%}
{#-
    One row per Instagram post out of the vendor archive and the live scraper.

    refreshed_within_hours: none = every post; a number = only posts of the profiles whose account was refreshed in
                            the last so many hours. The rows are the same either way, only fewer.
    with_reach:             add the estimated reach and impressions.
-#}
{%- set posts = ref('stg_beat_instagram_post') -%}
{%- set archive = source('vidooly', 'instagram_posts_historical_cleaned_v2') -%}
with

account_followers as (
    select profile_id as account_id, max(followers) as follower_count
    from {{ ref('stg_beat_instagram_account') }}
    group by account_id
),

{% if refreshed_within_hours is not none -%}
refreshed_accounts as (
    select profile_id as account_id, lower(handle) as account_handle
    from {{ ref('stg_beat_instagram_account') }}
    where updated_at >= {{ stir_now() }} - toIntervalHour({{ refreshed_within_hours }})
),

{#- Short codes first: two narrow columns of both inputs are read twice instead of all columns of all posts being
    grouped. A post is found by its author id or, where the archive has none, by the author's user name. #}
candidate_posts as (
    select shortcode
    from {{ posts }}
    where profile_id in (select account_id from refreshed_accounts)
    union all
    select shortcode
    from {{ archive }}
    where profile_id in (select account_id from refreshed_accounts)
        or lower(handle) in (select account_handle from refreshed_accounts)
),

{% endif -%}
observed_posts as (
    select
        shortcode,
        profile_id,
        handle,
        coalesce(toString(post_type), '') as type_name,
        likes,
        comments,
        views,
        plays,
        publish_time,
        updated_at as observed_at,
        1 as is_live
    from {{ posts }}
    where lower(coalesce(post_type, '')) != 'story'
    union all
    select
        shortcode,
        coalesce(profile_id, ''),
        coalesce(handle, ''),
        coalesce(toString(post_type), ''),
        likes,
        comments,
        views,
        plays,
        publish_time - toIntervalMinute({{ var('archive_utc_offset_minutes') }}),
        toDateTime(0),
        0
    from {{ archive }}
),

merged_posts as (
    select
        coalesce(shortcode, '') as post_shortcode,
        argMaxIf(profile_id, (is_live, observed_at, profile_id), profile_id != '') as author_id,
        argMaxIf(handle, (is_live, observed_at, profile_id), handle != '') as author_handle,
        argMaxIf(type_name, (is_live, observed_at, profile_id), type_name != '') as post_type,
        greatest(coalesce(max(likes), 0), 0) as like_count,
        greatest(coalesce(max(comments), 0), 0) as comment_count,
        greatest(coalesce(max(views), 0), 0) as view_count,
        greatest(coalesce(max(plays), 0), 0) as play_count,
        coalesce(max(publish_time), toDateTime('{{ var('unknown_publish_time') }}', 'UTC')) as published_at,
        max(is_live) as has_live_row
    from observed_posts
    where shortcode != ''
    {%- if refreshed_within_hours is not none %}
        and shortcode in (select shortcode from candidate_posts)
    {%- endif %}
    group by post_shortcode
),

final as (
    select
        p.post_shortcode as post_shortcode,
        p.author_id as profile_id,
        p.author_handle as handle,
        cast({{ post_class('p.post_type') }} as LowCardinality(String)) as post_class,
        cast(p.post_type as LowCardinality(String)) as post_type,
        toInt64(p.like_count) as likes,
        toInt64(p.comment_count) as comments,
        toInt64(p.view_count) as views,
        toInt64(p.play_count) as plays,
        toInt64(p.like_count + p.comment_count) as engagement,
        cast(p.published_at as DateTime) as publish_time
        {%- if with_reach %},
        if(p.has_live_row = 1, {{ estimated_reach(
            post_class('p.post_type'), 'p.like_count', 'p.play_count', 'a.follower_count'
        ) }}, 0.) as reach,
        if(p.has_live_row = 1, {{ estimated_impressions(
            post_class('p.post_type'), 'p.like_count', 'p.play_count'
        ) }}, 0.) as impressions
        {%- endif %}
    from merged_posts as p
    {%- if with_reach %}
    left join account_followers as a
        on p.author_id = a.account_id
    {%- endif %}
    {%- if refreshed_within_hours is not none %}
    {#- A post found through a name that now belongs to somebody else would come without its author's other posts. #}
    where p.author_id in (select account_id from refreshed_accounts)
        or (p.author_id = '' and lower(p.author_handle) in (select account_handle from refreshed_accounts))
    {%- endif %}
)

select *
from final
{%- endmacro %}
