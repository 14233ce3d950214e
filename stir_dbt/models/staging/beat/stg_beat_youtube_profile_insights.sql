{{ config(order_by='channel_id') }}

with insight_rows as (
    select
        src.id,
        src.channel_id,
        src.gender_age,
        src.city,
        src.created_at,
        src.updated_at
    from {{ source('beat_replica', 'youtube_profile_insights') }} as src
    where src.channel_id is not null
)

select *
from insight_rows
order by updated_at desc, id desc
limit 1 by channel_id
