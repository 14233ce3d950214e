{{ config(order_by='handle') }}

with instagram_tagging as (
    select * from {{ source('manual', 'instagram_tagging') }}
),

tagged_handles as (
    select
        *,
        lower(trimBoth(coalesce(instagram_tagging.handle, ''))) as tagged_handle,
        arrayMap(item -> assumeNotNull(item), arrayFilter(item -> isNotNull(item), [
            {%- for n in [1, 2, 3] %}
            if(lower(trimBoth(coalesce(c{{ n }}_yn, ''))) = 'yes', {{ present_text('category_' ~ n) }}, null),
            {%- endfor %}
            {{ present_text('additional_category') }}
        ])) as tagged_categories,
        arrayMap(item -> assumeNotNull(item), arrayFilter(item -> isNotNull(item), [
            {%- for n in [1, 2, 3] %}
            {{ present_text('language_' ~ n) }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        ])) as tagged_languages
    from instagram_tagging
),

final as (
    select
        tagged_handle as handle,
        category_1,
        category_2,
        category_3,
        c1_yn,
        c2_yn,
        c3_yn,
        additional_category,
        language_1,
        language_2,
        language_3,
        arrayDistinct(tagged_categories) as categories,
        arrayDistinct(tagged_languages) as languages
    from tagged_handles
    where tagged_handle != ''
    -- the row that says most about a handle; the files carry no date
    order by
        length(categories) + length(languages) desc,
        (category_1, category_2, category_3, additional_category, language_1, language_2, language_3)
    limit 1 by tagged_handle
)

select *
from final
