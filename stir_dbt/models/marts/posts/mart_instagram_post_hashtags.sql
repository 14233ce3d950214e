{{ config(order_by='shortcode') }}

with

newest_posts as (
    select
        coalesce(nullIf(shortcode, ''), 'MISSING') as post_code,
        argMax((profile_id, handle, caption), (updated_at, id)) as newest
    from {{ ref('stg_beat_instagram_post') }}
    group by post_code
),

captions as (
    select
        tupleElement(newest, 1) as profile_id,
        tupleElement(newest, 2) as handle,
        post_code as shortcode,
        {{ hashtags_of('tupleElement(newest, 3)') }} as hashtags
    from newest_posts
),

final as (
    select
        profile_id,
        handle,
        shortcode,
        hashtags,
        arrayMap(tag -> lowerUTF8(tag), hashtags) as hashtags_l
    from captions
)

select *
from final
