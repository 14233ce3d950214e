{% macro coffee_post_collection_item(schema) %}
{#- Posts of post collections: production ('coffee_replica') and stage ('coffee_stage') copy of one application table. -#}
{{ config(order_by='id') }}

with items as (
    select
        src.id,
        src.platform,
        src.short_code,
        src.post_type,
        src.post_collection_id,
        src.sponsor_links,
        src.posted_by_handle,
        src.posted_by_cp_id,
        src.post_link,
        src.post_thumbnail,
        src.cost,
        coalesce(src.enabled, false) as enabled,
        coalesce(src.show_in_report, false) as show_in_report,
        src.created_at,
        src.updated_at
    from {{ source(schema, 'post_collection_item') }} as src
    where src.id is not null
),

newest_per_id as (
    select *
    from items
    order by updated_at desc
    limit 1 by id
)

-- A post added twice to a collection would count double in every report.
select *
from newest_per_id
order by enabled desc, coalesce(updated_at, created_at) desc, id desc
limit 1 by post_collection_id, platform, short_code
{% endmacro %}
