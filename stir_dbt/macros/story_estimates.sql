{#-
    Estimated reach and impressions of story items, one row per item: (collection_id, short_code, is_settled, story_reach,
    story_impressions). Both macros read a CTE `items` of the model (post_collection_items).
-#}

{% macro story_estimates_from_snapshots(collections) -%}
{#-
    Reach and impressions of story items from followers and engagement rate of the author when the story was scraped.

    collections: relation of post collections. The reports changed over time: engagement rates get
    story_reach_correction_points from story_reach_corrected_from on (day the item was added); impressions exist for
    collections made from story_impressions_from on or listed in story_impression_collections; collections in
    frozen_story_collections show the numbers of the stored post.
-#}
{%- set is_settled = 'has(' ~ sql_list(var('frozen_story_collections')) ~ ', i.collection_id)' -%}
{%- set percent -%}
if(
    i.added_at < toDateTime('{{ var('story_reach_corrected_from') }} 00:00:00', 'UTC'),
    p.profile_er,
    p.profile_er + {{ var('story_reach_correction_points') }}
)
{%- endset -%}
select
    i.collection_id as collection_id,
    i.short_code as short_code,
    {{ is_settled }} as is_settled,
    if(is_settled, toFloat64(coalesce(p.reach, 0)), {{ story_reach('p.profile_follower', percent) }}) as story_reach,
    multiIf(
        is_settled, toFloat64(coalesce(p.impressions, 0)),
        c.created_at >= toDateTime('{{ var('story_impressions_from') }} 00:00:00', 'UTC')
            or has({{ sql_list(var('story_impression_collections')) }}, i.collection_id),
        {{ story_impressions('story_reach') }},
        0.
    ) as story_impressions
from items as i
inner join (
    select shortcode, profile_follower, profile_er, reach, impressions
    from {{ ref('stg_beat_instagram_post') }}
    where shortcode in (select short_code from items where item_post_type = 'story')
    order by updated_at desc, id desc
    limit 1 by shortcode
) as p
    on i.short_code = p.shortcode
left join {{ collections }} as c
    on i.collection_id = c.id
where i.item_platform = 'INSTAGRAM'
    and i.item_post_type = 'story'
{%- endmacro %}

{% macro story_estimates_from_account_summary(summary) -%}
{#-
    The stage rule: reach of story items from the author's followers and engagement rate of today, no impressions.

    summary: relation of instagram_account_summary() keyed by profile id. The rate without outliers is preferred.
-#}
select
    i.collection_id as collection_id,
    i.short_code as short_code,
    false as is_settled,
    {{ story_reach(
        'a.followers', '100 * coalesce(if(s.avg_er_non_outliers > 0, s.avg_er_non_outliers, null), s.avg_er)'
    ) }} as story_reach,
    toFloat64(0) as story_impressions
from items as i
inner join (
    select lower(handle) as account_handle, profile_id, followers
    from {{ ref('stg_beat_instagram_account') }}
    where handle != ''
    order by updated_at desc
    limit 1 by account_handle
) as a
    on lower(i.item_handle) = a.account_handle
inner join {{ summary }} as s
    on a.profile_id = s.profile_id
where i.item_platform = 'INSTAGRAM'
    and i.item_post_type = 'story'
{%- endmacro %}
