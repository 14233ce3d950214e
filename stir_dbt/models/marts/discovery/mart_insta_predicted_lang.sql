{{ config(order_by='profile_id') }}

with stg_beat_instagram_post as (
    select * from {{ ref('stg_beat_instagram_post') }}
),

captions as (
    select
        profile_id,
        shortcode,
        {{ caption_words('caption') }} as words
    from stg_beat_instagram_post
    where caption != '' and profile_id != ''
),

detected_captions as (
    select
        profile_id,
        shortcode,
        {{ platform_language(detect_language('words')) }} as caption_language
    from captions
),

language_counts as (
    select
        profile_id,
        caption_language,
        uniqExact(shortcode) as posts,
        sum(posts) over (partition by profile_id) as profile_posts
    from detected_captions
    where caption_language is not null
    group by profile_id, caption_language
),

final as (
    select
        profile_id,
        toLowCardinality(assumeNotNull(caption_language)) as lang
    from language_counts
    where
        has({{ sql_list(var('caption_languages')) }}, caption_language)
        and posts >= {{ var('dominant_language_min_posts') }}
        and posts > {{ var('dominant_language_min_share') }} * profile_posts
)

select *
from final
