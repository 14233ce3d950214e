{{ config(order_by='profile_id') }}

with account_rows as (
    select
        src.id,
        src.profile_id,
        src.handle,
        src.full_name,
        src.biography,
        src.fbid,
        coalesce(src.followers, 0) as followers,
        coalesce(src.following, 0) as following,
        coalesce(src.media_count, 0) as media_count,
        src.profile_type,
        src.account_type,
        src.is_business_or_creator,
        src.is_private,
        src.is_verified,
        src.profile_pic_url,
        src.country,
        src.language,
        src.created_at,
        src.updated_at
    from {{ source('beat_replica', 'instagram_account') }} as src
    where 
        src.profile_id is not null
        and src.profile_id != ''
)

select *
from account_rows
order by updated_at desc, id desc
limit 1 by profile_id
