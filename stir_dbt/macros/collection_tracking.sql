{#- Which posts a collection model looks at. Every macro gives (collection_id, post_collection_item_id, short_code). -#}

{% macro post_collection_items(items, enabled_only, platform=none) -%}
{#-
    The items of post collections.

    items:        relation of items, one per collection and post.
    enabled_only: leave out soft-deleted items; the stage copy of the app shows them.
    platform:     'INSTAGRAM' or 'YOUTUBE'; none = both.
    Adds platform and what only an item knows: post_type, author's handle, links, when it was added, its bare tracked link.
-#}
select
    toString(platform) as item_platform,
    coalesce(nullIf(post_collection_id, ''), 'MISSING') as collection_id,
    id as post_collection_item_id,
    coalesce(nullIf(short_code, ''), 'MISSING') as short_code,
    lower(coalesce(post_type, '')) as item_post_type,
    coalesce(posted_by_handle, '') as item_handle,
    coalesce(post_link, '') as item_link,
    coalesce(post_thumbnail, '') as item_thumbnail,
    {{ bare_link(first_sponsor_link('sponsor_links')) }} as tracked_link,
    created_at as added_at
from {{ items }}
where {{ "platform = '" ~ platform ~ "'" if platform else 'true' }}
{%- if enabled_only %}
    and enabled
{%- endif %}
{%- endmacro %}

{% macro tracked_profiles(items, platform, collections=none, account_view=none) -%}
{#-
    The profiles whose every post is followed: (collection_id, profile_id).

    collections:  relation of profile collections: only enabled items of account-tracker collections (var
                  tracker_collection_source). none = the stage rule: every item that came from no shortlist.
    account_view: relation that turns an item's account number into the platform id; none = the item carries it.
-#}
select distinct
    toString(i.profile_collection_id) as collection_id,
    {% if account_view %}assumeNotNull(a.ig_id){% else %}assumeNotNull(i.profile_social_id){% endif %} as profile_id
from {{ items }} as i
{%- if account_view %}
inner join {{ account_view }} as a
    on i.platform_account_code = a.id
{%- endif %}
where i.platform = '{{ platform }}'
{%- if account_view %}
    and a.ig_id != ''
{%- else %}
    and i.profile_social_id != ''
{%- endif %}
{%- if collections %}
    and i.enabled
    and i.profile_collection_id in (
        select id from {{ collections }} where source = '{{ var('tracker_collection_source') }}'
    )
{%- else %}
    and i.shortlist_id is null
{%- endif %}
{%- endmacro %}

{% macro posts_of_profiles(posts, author_column, profiles) -%}
{#- All posts of the profiles in the CTE `profiles`, once per collection that follows their author. -#}
select distinct
    t.collection_id as collection_id,
    toInt64(0) as post_collection_item_id,
    p.shortcode as short_code
from (
    select shortcode, {{ author_column }} as author_id
    from {{ posts }}
    where author_id in (select profile_id from {{ profiles }})
        and shortcode != ''
) as p
inner join {{ profiles }} as t
    on p.author_id = t.profile_id
{%- endmacro %}
