{% macro coffee_profile_collection_item(schema) %}
{#- Profiles of profile collections: production ('coffee_replica') and stage ('coffee_stage') copy of one table. -#}
{{ config(order_by='id') }}

with items as (
    select
        src.id,
        src.platform,
        src.platform_account_code,
        src.profile_collection_id,
        src.hidden,
        src.enabled,
        '' as custom_columns,
        src.rank,
        src.created_by,
        src.created_at,
        src.updated_at,
        src.partner_id,
        src.profile_social_id,
        src.campaign_profile_id,
        src.shortlisting_status,
        src.shortlist_id
    from {{ source(schema, 'profile_collection_item') }} as src
    where src.id is not null
)

select *
from items
order by updated_at desc
limit 1 by id
{% endmacro %}
