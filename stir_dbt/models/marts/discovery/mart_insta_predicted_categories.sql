{{ config(order_by='profile_id') }}

with categorization_zsl as (
    select * from {{ source('ds', 'categorization_zsl') }}
),

-- the best label of either text; a label of the account's own category text goes before one of the biography
best_labels as (
    select
        profile_id,
        label.1 as best_label,
        label.2 as score,
        label.3 as text_priority
    from categorization_zsl
    array join [
        (cat_from_ig_cat[1].1, cat_from_ig_cat[1].2, 0), (cat_from_bio[1].1, cat_from_bio[1].2, 1)
    ] as label
    where profile_id != ''
),

final as (
    select
        profile_id,
        argMin(best_label, (text_priority, -score, best_label)) as category
    from best_labels
    where best_label != '' and score > {{ var('category_min_score') }}
    group by profile_id
)

select *
from final
