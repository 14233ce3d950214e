{#-
    What is known now about every post of every collection. A model names a CTE `items` (post_collection_items) and a CTE
    `story_estimates` (story_estimates.sql), then calls collection_post_summary().
-#}

{% macro collection_post_summary(series, series_value, clicks, orders, manual_clicks=none) -%}
{#-
    One row per post of a collection: what is known now. An item shows up even before its first event. Post and profile
    collections are numbered apart, so a collection is its type and its id; items are of post collections.

    series:       relation with the daily series of all collections.
    series_value: 'newest_day' = counters of the last day of the series, 'highest' = their maximum over days.
    clicks, orders, manual_clicks: see item_sales().
    Reach and impressions: what the platform reported, else the estimate of a story, else the series value.
-#}
{%- set current = ['likes', 'comments', 'plays', 'reach', 'impressions', 'real_reach', 'real_impressions'] -%}
{%- set highest = [
    'saves', 'swipe_ups', 'mentions', 'sticker_taps', 'shares', 'story_exits', 'story_back_taps', 'story_forward_taps',
    'total_engagement',
] -%}
{%- set sales = ['link_clicks'] + order_measures() | map(attribute=0) | list -%}
item_accounts as (
    select
        lower(handle) as account_handle,
        argMax((profile_id, handle, coalesce(full_name, ''), followers), updated_at) as account
    from {{ ref('stg_beat_instagram_account') }}
    where account_handle in (select lower(item_handle) from items where item_handle != '')
    group by account_handle
),

sales as (
    {{ item_sales('items', clicks, orders, manual_clicks) | indent(4) }}
),

described_items as (
    select
        i.item_platform as platform,
        'POST' as collection_type,
        i.collection_id as collection_id,
        i.short_code as short_code,
        i.post_collection_item_id as item_id,
        i.item_post_type as item_post_type,
        i.item_handle as item_handle,
        i.item_link as item_link,
        i.item_thumbnail as item_thumbnail,
        i.added_at as added_at,
        coalesce(tupleElement(a.account, 1), '') as account_id,
        coalesce(tupleElement(a.account, 2), '') as account_handle,
        coalesce(tupleElement(a.account, 3), '') as account_name,
        coalesce(tupleElement(a.account, 4), 0) as account_followers,
        coalesce(e.is_settled, false) as is_settled,
        coalesce(e.story_reach, 0) as story_reach,
        coalesce(e.story_impressions, 0) as story_impressions,
        {%- for name in sales %}
        toInt64(coalesce(sales.{{ name }}, 0)) as item_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from items as i
    left join item_accounts as a
        on lower(i.item_handle) = a.account_handle and i.item_platform = 'INSTAGRAM'
    left join story_estimates as e
        on i.collection_id = e.collection_id and i.short_code = e.short_code and i.item_platform = 'INSTAGRAM'
    left join sales
        on i.collection_id = sales.collection_id and i.short_code = sales.short_code
),

series_summary as (
    select
        toString(s.platform) as platform,
        toString(s.collection_type) as collection_type,
        s.collection_id as collection_id,
        s.post_short_code as short_code,
        {%- for name in ['profile_social_id', 'profile_handle', 'profile_name', 'post_title', 'post_link',
            'post_thumbnail', 'hashtags', 'keywords'] %}
        argMax(s.{{ name }}, s.stats_date) as {{ name }},
        {%- endfor %}
        argMax(toString(s.post_type), s.stats_date) as series_post_type,
        max(s.published_at) as series_published_at,
        max(s.followers) as series_followers,
        max(s.post_collection_item_id) as series_item_id,
        {%- for name in current %}
        {{ 'argMax(s.' ~ name ~ ', s.stats_date)' if series_value == 'newest_day' else 'max(s.' ~ name ~ ')' }}
            as current_{{ name }},
        {%- endfor %}
        {%- for name in highest + sales %}
        max(s.{{ name }}) as highest_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ series }} as s
    group by platform, collection_type, collection_id, short_code
),

{#- A post without events has no series, a post of a tracked profile has no item. #}
merged as (
    select
        coalesce(i.platform, s.platform) as platform,
        coalesce(i.collection_type, s.collection_type) as collection_type,
        coalesce(i.collection_id, s.collection_id) as collection_id,
        coalesce(i.short_code, s.short_code) as short_code,
        coalesce(nullIf(s.profile_social_id, ''), i.account_id, '') as profile_social_id,
        coalesce(
            nullIf(nullIf(s.profile_handle, ''), 'MISSING'),
            nullIf(i.account_handle, ''), nullIf(i.item_handle, ''), s.profile_handle, ''
        ) as profile_handle,
        coalesce(
            nullIf(nullIf(s.profile_name, ''), 'MISSING'),
            nullIf(i.account_name, ''), nullIf(i.account_handle, ''), nullIf(i.item_handle, ''), s.profile_name, ''
        ) as profile_name,
        coalesce(nullIf(s.series_followers, 0), i.account_followers, 0) as followers,
        coalesce(nullIf(s.series_post_type, ''), i.item_post_type, '') as post_type,
        coalesce(s.post_title, '') as post_title,
        coalesce(
            nullIf(i.item_link, ''),
            nullIf(s.post_link, ''),
            concat(
                if(
                    coalesce(i.platform, s.platform) = 'YOUTUBE',
                    '{{ var('youtube_video_url') }}', '{{ var('instagram_post_url') }}'
                ),
                coalesce(i.short_code, s.short_code)
            )
        ) as post_link,
        coalesce(nullIf(s.post_thumbnail, ''), i.item_thumbnail, '') as post_thumbnail,
        s.hashtags as hashtags,
        s.keywords as keywords,
        coalesce(i.item_id, s.series_item_id, 0) as post_collection_item_id,
        coalesce(s.series_published_at, i.added_at) as published_at,
        i.item_post_type = 'story' as is_story,
        coalesce(i.is_settled, false) as is_settled,
        {%- for name in ['reach', 'impressions'] %}
        multiIf(
            is_settled, i.story_{{ name }},
            s.current_real_{{ name }} > 0, s.current_real_{{ name }},
            is_story and i.story_{{ name }} > 0, i.story_{{ name }},
            coalesce(s.current_{{ name }}, 0)
        ) as {{ name }},
        {%- endfor %}
        {%- for name in ['likes', 'comments', 'plays'] %}
        coalesce(s.current_{{ name }}, 0) as {{ name }},
        {%- endfor %}
        {%- for name in highest %}
        coalesce(s.highest_{{ name }}, 0) as {{ name }},
        {%- endfor %}
        {%- for name in sales %}
        greatest(
            coalesce(i.item_{{ name }}, 0), coalesce(s.highest_{{ name }}, 0)
        ) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from described_items as i
    full outer join series_summary as s
        on
            i.platform = s.platform and i.collection_type = s.collection_type
            and i.collection_id = s.collection_id and i.short_code = s.short_code
),

final as (
    select
        *,
        reach as views,
        short_code as post_short_code,
        {{ engagement_rate('likes + comments' if series_value == 'newest_day' else 'total_engagement', 'reach') }}
            as engagement_rate
    from merged
)

select
    {%- for name, type in collection_post_columns() %}
    cast(f.{{ name }} as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from final as f
{%- endmacro %}

{% macro collection_post_columns() -%}
{#- Name and type of the columns of the post summaries, in order. -#}
{{ return([
    ('platform', 'LowCardinality(String)'),
    ('collection_id', 'String'),
    ('post_short_code', 'String'),
    ('collection_type', 'LowCardinality(String)'),
    ('profile_social_id', 'String'),
    ('profile_handle', 'String'),
    ('profile_name', 'String'),
    ('followers', 'Int64'),
    ('post_type', 'LowCardinality(String)'),
    ('post_title', 'String'),
    ('post_link', 'String'),
    ('post_thumbnail', 'String'),
    ('hashtags', 'Array(String)'),
    ('keywords', 'Array(String)'),
    ('post_collection_item_id', 'Int64'),
    ('published_at', 'Nullable(DateTime)'),
    ('views', 'Float64'),
    ('likes', 'Int64'),
    ('comments', 'Int64'),
    ('impressions', 'Float64'),
    ('saves', 'Int64'),
    ('plays', 'Int64'),
    ('reach', 'Float64'),
    ('swipe_ups', 'Int64'),
    ('mentions', 'Int64'),
    ('sticker_taps', 'Int64'),
    ('shares', 'Int64'),
    ('story_exits', 'Int64'),
    ('story_back_taps', 'Int64'),
    ('story_forward_taps', 'Int64'),
    ('link_clicks', 'Int64'),
    ('orders', 'Int64'),
    ('delivered_orders', 'Int64'),
    ('completed_orders', 'Int64'),
    ('leaderboard_overall_orders', 'Int64'),
    ('leaderboard_delivered_orders', 'Int64'),
    ('leaderboard_completed_orders', 'Int64'),
    ('total_engagement', 'Int64'),
    ('engagement_rate', 'Float64'),
]) }}
{%- endmacro %}
