{% macro newest_asset_url(asset_log, entity_type) -%}
{#-
    One row per entity with the path of its newest stored file: (entity_id, asset_url). Joining the log itself would
    multiply the rows of an entity that was uploaded twice.

    asset_log: relation or CTE of stg_beat_asset_log.   entity_type: 'POST' (short codes) or 'PROFILE' (profile ids).
-#}
select
    entity_id,
    argMax(asset_log.asset_url, (asset_log.created_at, asset_log.id)) as asset_url
from {{ asset_log }} as asset_log
where asset_log.entity_type = '{{ entity_type }}' and asset_log.asset_url is not null
group by entity_id
{%- endmacro %}
