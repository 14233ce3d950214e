{{ config(order_by='channel_id') }}

with account_rows as (
    select
        src.id,
        src.channel_id,
        src.title,
        src.custom_url,
        src.description,
        src.thumbnail,
        src.country,
        src.tagged_country,
        src.language,
        src.account_type,
        coalesce(src.subscribers, 0) as subscribers,
        coalesce(src.views, 0) as views,
        coalesce(src.uploads, 0) as uploads,
        src.created_at,
        src.updated_at
    from {{ source('beat_replica', 'youtube_account') }} as src
    where 
        src.channel_id is not null
        and src.channel_id != ''
)

select *
from account_rows
order by updated_at desc, id desc
limit 1 by channel_id
