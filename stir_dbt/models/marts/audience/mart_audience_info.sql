{{ config(order_by=['platform', 'platform_id']) }}

with mart_audience_info_follower as (
    select * from {{ ref('mart_audience_info_follower') }}
),

mart_audience_info_gpt as (
    select * from {{ ref('mart_audience_info_gpt') }}
),

mart_audience_info_private as (
    select * from {{ ref('mart_audience_info_private') }}
),

-- the creator's own insights, then scraped followers and channel demographics, then the language model
followers_without_insights as (
    select follower.*
    from mart_audience_info_follower as follower
    left anti join mart_audience_info_private as private
        on follower.platform = private.platform and follower.platform_id = private.platform_id
),

estimates_without_insights as (
    select estimate.*
    from mart_audience_info_gpt as estimate
    left anti join mart_audience_info_private as private
        on estimate.platform = private.platform and estimate.platform_id = private.platform_id
),

estimates_without_facts as (
    select estimate.*
    from estimates_without_insights as estimate
    left anti join mart_audience_info_follower as follower
        on estimate.platform = follower.platform and estimate.platform_id = follower.platform_id
),

final as (
    select
        {{ audience_columns() | indent(4) }}
    from mart_audience_info_private
    union all
    select
        {{ audience_columns() | indent(4) }}
    from followers_without_insights
    union all
    select
        {{ audience_columns() | indent(4) }}
    from estimates_without_facts
)

select
    {{ audience_columns() }}
from final
