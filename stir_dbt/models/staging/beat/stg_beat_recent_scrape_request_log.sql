{{ config(order_by='id') }}

with recent_jobs as (
    select
        src.id,
        src.source,
        src.platform,
        src.data,
        src.scraped_at,
        src.flow,
        src.idempotency_key,
        src.status,
        src.priority,
        src.params,
        src.created_at
    from {{ source('beat_replica', 'recent_scrape_request_log') }} as src
    where src.id is not null
)

select *
from recent_jobs
order by
    coalesce(scraped_at, created_at) desc,
    transform(status, ['PROCESSING', 'FAILED', 'COMPLETE'], [1, 2, 3], 0) desc
limit 1 by id
