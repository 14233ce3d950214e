{{ config(order_by='id') }}

with keyword_collection_rows as (
    select
        src.id,
        src.platform,
        src.keywords,
        src.start_time,
        src.end_time,
        src.report_path,
        src.enabled,
        src.created_at
    from {{ source('coffee_replica', 'keyword_collection') }} as src
    where src.id is not null
)

select *
from keyword_collection_rows
order by created_at desc
limit 1 by id
