{{ config(order_by=['platform', 'month', 'short_code']) }}

with mart_genre_instagram_trending_content_with_rank as (
    select * from {{ ref('mart_genre_instagram_trending_content_with_rank') }}
),

mart_genre_youtube_trending_content_with_rank as (
    select * from {{ ref('mart_genre_youtube_trending_content_with_rank') }}
),

final as (
    select
        {{ trending_columns() | indent(4) }}
    from mart_genre_instagram_trending_content_with_rank
    union all
    select
        {{ trending_columns() | indent(4) }}
    from mart_genre_youtube_trending_content_with_rank
)

select
    {{ trending_columns() }}
from final
