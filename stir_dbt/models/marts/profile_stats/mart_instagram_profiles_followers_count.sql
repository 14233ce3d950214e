{{ config(order_by='target_profile_id') }}

with

relations as (
    select
        coalesce(target_profile_id, '') as followed_profile_id,
        JSONExtractString(coalesce(source_dimensions, ''), 'handle') as follower_handle,
        JSONExtractString(coalesce(source_dimensions, ''), 'full_name') as follower_name
    from {{ ref('stg_beat_profile_relationship_log') }}
    where platform = 'INSTAGRAM'
        {#- Relations logged before the type existed are downloads of followers. #}
        and upper(coalesce(relationship_type, 'FOLLOWER')) = 'FOLLOWER'
),

final as (
    select
        followed_profile_id as target_profile_id,
        uniqExact(lower(follower_handle)) as followers_in_db
    from relations
    where followed_profile_id != ''
        and follower_handle != ''
        and follower_name != ''
    group by target_profile_id
)

select *
from final
