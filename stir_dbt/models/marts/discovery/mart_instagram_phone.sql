{{ config(order_by='profile_id') }}

with profile_log_events as (
    select * from {{ source('_e', 'profile_log_events') }}
    where platform = 'INSTAGRAM'
),

stg_beat_instagram_account as (
    select * from {{ ref('stg_beat_instagram_account') }}
),

seen_phones as (
    select
        profile_id,
        handle,
        extract(coalesce(biography, ''), '(?:^|\\W)([1-9][0-9]{9})(?:\\W|$)') as plain_phone,
        'biography' as origin,
        updated_at as seen_at
    from stg_beat_instagram_account
    union all
    select
        profile_id,
        handle,
        JSONExtractString(dimensions, 'contact_phone') as plain_phone,
        'contact' as origin,
        event_timestamp as seen_at
    from profile_log_events
    where profile_id != ''
),

hashed_phones as (
    select
        profile_id,
        handle as seen_handle,
        {{ phone_hash('plain_phone') }} as hashed_phone,
        {{ phone_mask('plain_phone') }} as masked_phone,
        origin as seen_origin,
        seen_at
    from seen_phones
    where plain_phone != ''
),

final as (
    select
        profile_id,
        argMax(seen_handle, (seen_at, seen_handle)) as handle,
        assumeNotNull(hashed_phone) as phone,
        assumeNotNull(any(masked_phone)) as phone_masked,
        toLowCardinality(argMax(seen_origin, (seen_at, seen_handle))) as origin,
        max(seen_at) as last_seen_at
    from hashed_phones
    where hashed_phone is not null
    group by profile_id, hashed_phone
)

select *
from final
