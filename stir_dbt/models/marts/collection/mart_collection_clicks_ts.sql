{{ config(order_by='(collection_id, stats_date)') }}

with

linked_items as (
    select
        platform as item_platform,
        coalesce(nullIf(post_collection_id, ''), 'MISSING') as collection,
        coalesce(posted_by_handle, '') as author_handle,
        short_code,
        {{ bare_link(first_sponsor_link('sponsor_links')) }} as link
    from {{ ref('stg_coffee_post_collection_item') }}
    where enabled
        and show_in_report
        and link != ''
),

daily_clicks as (
    select
        {{ bare_link('url') }} as link,
        toDate(d) as click_date,
        sum(toInt64(unique_clicks)) as click_count
    from {{ source('dbt', 'mart_link_clicks') }}
    where d >= toDateTime('{{ var('clicks_first_day') }} 00:00:00', 'UTC')
        and d <= {{ stir_now() }}
    group by link, click_date
),

{#- Posts of a collection may share a link: each of them shows its clicks, the collection counts them once. #}
item_clicks as (
    select
        i.item_platform as item_platform,
        i.collection as collection,
        i.author_handle as author_handle,
        i.short_code as short_code,
        c.click_date as click_date,
        c.click_count as click_count,
        if(
            row_number() over (
                partition by i.item_platform, i.collection, c.link, c.click_date order by i.short_code
            ) = 1,
            c.click_count,
            0
        ) as counted_clicks
    from linked_items as i
    inner join daily_clicks as c
        on i.link = c.link
),

final as (
    select
        item_platform as platform,
        collection as collection_id,
        cast('POST' as LowCardinality(String)) as collection_type,
        author_handle as profile_handle,
        short_code as post_short_code,
        click_date as stats_date,
        click_count as clicks,
        sum(counted_clicks) over (
            partition by item_platform, collection
            order by click_date
            range between unbounded preceding and current row
        ) as clicks_cumul
    from item_clicks
)

select *
from final
