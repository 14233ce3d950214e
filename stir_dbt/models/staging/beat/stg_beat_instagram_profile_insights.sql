{{ config(order_by='handle') }}

with insight_rows as (
    select
        src.id,
        src.profile_id,
        src.handle,
        src.audience_gender_age,
        src.audience_city,
        src.audience_country,
        src.audience_locale,
        src.created_at,
        src.updated_at
    from {{ source('beat_replica', 'instagram_profile_insights') }} as src
    where src.id is not null
),

newest_per_key as (
    select *
    from insight_rows
    order by updated_at desc, id desc
    limit 1 by coalesce(profile_id, lower(handle))
)

select *
from newest_per_key
order by updated_at desc, id desc
limit 1 by lower(handle)
