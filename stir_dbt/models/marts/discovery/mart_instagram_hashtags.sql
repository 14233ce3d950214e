{{ config(order_by='platform_id') }}

with mart_instagram_post_hashtags as (
    select * from {{ ref('mart_instagram_post_hashtags') }}
),

hashtag_counts as (
    select
        profile_id,
        hashtag,
        count() as uses
    from mart_instagram_post_hashtags
    array join hashtags_l as hashtag
    where profile_id != ''
    group by profile_id, hashtag
),

-- most used first, equal counts in alphabetical order
top_hashtags as (
    select
        profile_id,
        arraySlice(arraySort(tag -> (-tag.2, tag.1), groupArray((hashtag, toInt64(uses)))), 1, 10) as tags
    from hashtag_counts
    group by profile_id
),

final as (
    select
        'INSTAGRAM' as platform,
        profile_id as platform_id,
        arrayMap(tag -> tag.1, tags) as hashtags,
        arrayMap(tag -> toUInt64(tag.2), tags) as hashtags_counts
    from top_hashtags
)

select
    platform,
    platform_id,
    hashtags,
    hashtags_counts
from final
