{{ config(order_by='shortcode') }}

with

{#- The cheap text test spares the JSON parser the events that cannot qualify. #}
events as (
    select
        coalesce(nullIf(shortcode, ''), 'MISSING') as post_code,
        event_timestamp,
        insert_timestamp,
        {#- The scraper sends the list as text that holds JSON, the insights route as a JSON array. #}
        coalesce(
            nullIf(JSONExtractString(dimensions, 'user_tags'), ''),
            JSONExtractRaw(dimensions, 'user_tags')
        ) as user_tags
    from {{ source('_e', 'post_log_events') }}
    where platform = 'INSTAGRAM'
        and dimensions like '%user_tags%'
),

newest_tags as (
    select
        post_code,
        argMax(user_tags, (event_timestamp, insert_timestamp, user_tags)) as tag_list
    from events
    where startsWith(user_tags, '[')
        and JSONLength(user_tags) > 0
    group by post_code
),

final as (
    select
        post_code as shortcode,
        arrayDistinct(arrayFilter(
            user_name -> user_name != '',
            arrayMap(
                tag -> lowerUTF8(trim(JSONExtractString(tag, 'user', 'username'))),
                JSONExtractArrayRaw(tag_list)
            )
        )) as tagged
    from newest_tags
)

select *
from final
