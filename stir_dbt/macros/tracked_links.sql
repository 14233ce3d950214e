{% macro first_sponsor_link(sponsor_links) -%}
{#- First element of the JSON array of links, '' when there is none. -#}
JSONExtractString(coalesce({{ sponsor_links }}, ''), 1)
{%- endmacro %}

{% macro bare_link(link) -%}
{#- A link as both sides of a join can agree on: no scheme, no surrounding blanks or quotes, no final slash. -#}
replaceRegexpOne(
    replaceRegexpOne(trim(both ' "' from {{ link }}), '^[hH][tT][tT][pP][sS]?://', ''), '/+$', ''
)
{%- endmacro %}

{% macro order_measures() -%}
{#- The six order counts of a tracked link: (our name, name in the order table). -#}
{{ return([
    ('orders', 'overall_orders'),
    ('delivered_orders', 'delivered_orders'),
    ('completed_orders', 'completed_orders'),
    ('leaderboard_overall_orders', 'leaderboard_overall_orders'),
    ('leaderboard_delivered_orders', 'leaderboard_delivered_orders'),
    ('leaderboard_completed_orders', 'leaderboard_completed_orders'),
]) }}
{%- endmacro %}

{% macro item_sales(items, clicks, orders, manual_clicks=none) -%}
{#-
    Lifetime clicks and orders of every item with a tracked link or typed-in clicks: (collection_id, short_code,
    link_clicks and the six order measures).

    items: name of a CTE of post_collection_items().   clicks, orders: relations per link.
    manual_clicks: relation of clicks typed in per collection and post, none = not used. The larger of automatic and
    manual clicks counts. Clicks typed in without a collection count for the post in every collection.
-#}
select
    i.collection_id as collection_id,
    i.short_code as short_code,
    {%- if manual_clicks %}
    greatest(
        coalesce(any(c.link_total), 0), coalesce(any(m.typed_total), 0), coalesce(any(anywhere.typed_total), 0)
    ) as link_clicks,
    {%- else %}
    coalesce(any(c.link_total), 0) as link_clicks,
    {%- endif %}
    {%- for name, _ in order_measures() %}
    coalesce(any(o.{{ name }}_total), 0) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ items }} as i
left join (
    select {{ bare_link('url') }} as link, sum(toInt64(unique_clicks)) as link_total
    from {{ clicks }}
    where link != ''
    group by link
) as c
    on i.tracked_link = c.link
left join (
    select
        {{ bare_link('link') }} as bare,
        {%- for name, source_name in order_measures() %}
        sum(toInt64({{ source_name }})) as {{ name }}_total{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ orders }}
    where bare != ''
    group by bare
) as o
    on i.tracked_link = o.bare
{%- if manual_clicks %}
left join (
    select post_collection_id, short_code, max(toInt64(clicks)) as typed_total
    from {{ manual_clicks }}
    group by post_collection_id, short_code
) as m
    on i.collection_id = m.post_collection_id and i.short_code = m.short_code
left join (
    select short_code, max(toInt64(clicks)) as typed_total
    from {{ manual_clicks }}
    where post_collection_id = 'MISSING'
    group by short_code
) as anywhere
    on i.short_code = anywhere.short_code
{%- endif %}
where i.tracked_link != ''
{%- if manual_clicks %}
    or m.typed_total > 0
    or anywhere.typed_total > 0
{%- endif %}
group by collection_id, short_code
{%- endmacro %}
