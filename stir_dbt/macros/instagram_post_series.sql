{% macro instagram_post_series(
    fake_events, collection_type, real_values_chosen_per, engagement_rate_ceiling, unknown_author_name,
    tail_days=none, clicks=none, orders=none, manual_clicks=none
) -%}
{#-
    Daily series of Instagram posts. Follows a CTE `tracked_posts` (see collection_tracking.sql) in the model file.

    real_values_chosen_per:  'post': when insights know the reach of the first day, real reach is used on every day,
                             else the estimate on every day; the same for impressions on its own. 'day': each day alone.
    engagement_rate_ceiling: a rate at or above it becomes 0.
    unknown_author_name:     'post_handle' or 'MISSING': shown when the account is not known.
    tail_days:               see daily_post_series().
    clicks, orders, manual_clicks: see item_sales(); none = no tracked links, all 0.
-#}
{%- set counters = instagram_counters() -%}
{%- set class = post_class('p.type_name') -%}
{%- if real_values_chosen_per == 'post' -%}
{%- set reach_decider, impressions_decider = 's.first_real_reach', 's.first_real_impressions' -%}
{%- else -%}
{%- set reach_decider, impressions_decider = 's.real_reach', 's.real_impressions' -%}
{%- endif -%}
accepted_events as (
    select
        assumeNotNull(shortcode) as shortcode,
        event_timestamp,
        {{ parsed_counters('metrics', counters.values()) }} as parsed,
        {%- for name, key in counters.items() %}
        {{ counter('parsed', key) }} as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ source('_e', 'post_log_events') }}
    where {{ accepted_only('INSTAGRAM', fake_events) }}
),

{{ daily_post_series(counters.keys() | list, tail_days) }},

posts as (
    select
        shortcode,
        argMax(
            (
                profile_id,
                handle,
                lower(coalesce(toString(post_type), '')),
                coalesce(caption, ''),
                coalesce(display_url, ''),
                publish_time
            ),
            (updated_at, id)
        ) as newest,
        tupleElement(newest, 1) as author_id,
        tupleElement(newest, 2) as author_handle,
        tupleElement(newest, 3) as type_name,
        tupleElement(newest, 4) as caption_text,
        tupleElement(newest, 5) as picture_url,
        tupleElement(newest, 6) as published_at
    from {{ ref('stg_beat_instagram_post') }}
    where shortcode in (select short_code from tracked_posts)
    group by shortcode
),

accounts as (
    select profile_id, handle, full_name, followers
    from {{ ref('stg_beat_instagram_account') }}
),

asset_log as (
    select id, entity_type, entity_id, asset_url, created_at
    from {{ ref('stg_beat_asset_log') }}
    where entity_id in (select short_code from tracked_posts)
),

stored_pictures as (
    {{ newest_asset_url('asset_log', 'POST') | indent(4) }}
),

{% if clicks -%}
sales as (
    {{ item_sales('tracked_posts', clicks, orders, manual_clicks) | indent(4) }}
),

{% endif -%}
described_days as (
    select
        'INSTAGRAM' as platform,
        s.collection_id as collection_id,
        '{{ collection_type }}' as collection_type,
        s.shortcode as post_short_code,
        s.stats_date as stats_date,
        coalesce(p.type_name, '') as post_type,
        s.post_collection_item_id as post_collection_item_id,
        coalesce(p.caption_text, '') as post_title,
        concat('{{ var('instagram_post_url') }}', s.shortcode) as post_link,
        coalesce(
            concat('{{ var('cdn_base_url') }}', nullIf(a.asset_url, '')), p.picture_url, ''
        ) as post_thumbnail,
        {{ hashtags_of('p.caption_text') }} as hashtags,
        {{ keywords_of('p.caption_text') }} as keywords,
        p.published_at as published_at,
        coalesce(p.author_id, '') as profile_social_id,
        {%- set fallback = "nullIf(p.author_handle, ''), ''" if unknown_author_name == 'post_handle' else "'MISSING'" %}
        coalesce(nullIf(u.handle, ''), {{ fallback }}) as profile_handle,
        coalesce(p.author_handle, '') as post_handle,
        coalesce(nullIf(u.full_name, ''), nullIf(u.handle, ''), {{ fallback }}) as profile_name,
        coalesce(u.followers, 0) as followers,
        {%- for name in counters if name not in ['real_reach', 'real_impressions'] %}
        s.{{ name }} as {{ name }},
        {%- endfor %}
        if({{ reach_decider }} > 0, toFloat64(s.real_reach), {{
            estimated_reach(class, 's.likes', 's.plays', 'u.followers')
        }}) as reach,
        if({{ impressions_decider }} > 0, toFloat64(s.real_impressions), {{
            estimated_impressions(class, 's.likes', 's.plays')
        }}) as impressions,
        s.real_reach as real_reach,
        s.real_impressions as real_impressions,
        s.likes + s.comments as total_engagement,
        coalesce({{ 'sales.link_clicks' if clicks else 'null' }}, 0) as link_clicks,
        {%- for name, _ in order_measures() %}
        coalesce({{ 'sales.' ~ name if clicks else 'null' }}, 0) as {{ name }},
        {%- endfor %}
        s.is_filled as is_filled,
        s.last_event_at as updated_at
    from series_days as s
    left join posts as p
        on s.shortcode = p.shortcode
    left join accounts as u
        on p.author_id = u.profile_id
    left join stored_pictures as a
        on s.shortcode = a.entity_id
    {%- if clicks %}
    left join sales
        on s.collection_id = sales.collection_id and s.shortcode = sales.short_code
    {%- endif %}
),

final as (
    select
        *,
        reach as views,
        {{ engagement_rate('total_engagement', 'reach', engagement_rate_ceiling) }} as engagement_rate
    from described_days
)

{{ select_collection_post_ts('final') }}
{%- endmacro %}
