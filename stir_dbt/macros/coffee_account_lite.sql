{% macro coffee_account_lite(schema, view) %}
{#-
    The app's slim account views: view_instagram_account_lite or view_youtube_account_lite of the production
    ('coffee_replica') or the stage ('coffee_stage') database. The two platforms differ in how they name the account.
-#}
{{ config(order_by='id') }}
{%- set names = {
    'view_instagram_account_lite': ['ig_id', 'handle', 'name', 'followers'],
    'view_youtube_account_lite': ['channel_id', 'followers', 'username', 'title'],
} %}

with accounts as (
    select
        assumeNotNull(src.id) as id,
        {%- for column in names[view] %}
        src.{{ column }},
        {%- endfor %}
        src.thumbnail,
        src.created_at,
        src.updated_at
    from {{ source(schema, view) }} as src
    where src.id is not null
)

select *
from accounts
order by updated_at desc
limit 1 by id
{% endmacro %}
