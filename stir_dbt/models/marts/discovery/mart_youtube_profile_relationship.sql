{{ config(order_by='handle') }}

with stg_beat_scrape_request_log as (
    select * from {{ ref('stg_beat_scrape_request_log') }}
    where flow = 'refresh_yt_profile_relationship'
),

final as (
    select
        JSONExtractString(coalesce(params, ''), 'channel_id') as handle,
        max(scraped_at) as last_activities_attempt
    from stg_beat_scrape_request_log
    where handle != ''
    group by handle
)

select *
from final
