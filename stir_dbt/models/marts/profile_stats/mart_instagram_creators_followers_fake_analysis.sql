{{ config(order_by='handle') }}

with

accounts as (
    select lower(handle) as account_handle, max(followers) as follower_count
    from {{ ref('stg_beat_instagram_account') }}
    group by account_handle
),

{#- The batch job repeats followers: the worst result of every test counts. #}
followers as (
    select
        handle as creator_handle,
        follower_handle,
        follower_full_name,
        max(cleaned_name) as follower_name,
        max(heuristic_logic) as heuristic,
        max(number_more_than_4_handle) as has_many_digits,
        max(fake_real_based_on_fuzzy_score_90) as is_mismatch,
        max(process1_) as first_verdict,
        max(final_) as final_verdict,
        max(indian_name_score) as name_score,
        max(score_80) as is_name_score_high
    from {{ source('dbt', 'creator_followers_fake_analysis') }}
    group by creator_handle, follower_handle, follower_full_name
),

{#- A missing name is no name in common: such followers are not duplicates of each other. #}
named_followers as (
    select
        *,
        if(
            coalesce(follower_name, '') = '', 1,
            count() over (partition by creator_handle, follower_name)
        ) as same_name_count
    from followers
),

creators as (
    select
        creator_handle,
        count() as reterived_followers,
        countIf(heuristic = 1) as c_fake,
        countIf(heuristic = 0) as c_real,
        countIf(heuristic = 2) as c_unknown,
        countIf(has_many_digits = 1) as number_more_than_4_handle_fake,
        countIf(has_many_digits = 0) as number_more_than_4_handle_real,
        countIf(is_mismatch = 1) as fake_real_based_on_fuzzy_score_90_fake,
        countIf(is_mismatch = 0) as fake_real_based_on_fuzzy_score_90_real,
        countIf(first_verdict = 1) as process1_fake,
        countIf(first_verdict = 0) as process1_real,
        countIf(final_verdict = 1) + countIf(round(final_verdict, 2) = 0.33) / 3 as finall_fake,
        countIf(final_verdict = 0) as final_real,
        {%- for limit in [3, 5, 10] %}
        countIf(same_name_count > {{ limit }}) as duplicate_more_than_{{ limit }}_fake,
        countIf(same_name_count <= {{ limit }}) as duplicate_more_than_{{ limit }}_real,
        {%- endfor %}
        countIf(is_name_score_high = 1) as follower_count_with_sore_greater_than_80,
        avg(name_score) as avg_of_evaluation_score
    from named_followers
    group by creator_handle
),

ratios as (
    select
        *,
        100 * finall_fake / reterived_followers as final_fake_reterived_follower_ratio,
        100 * duplicate_more_than_5_fake / reterived_followers as duplicate_more_than_5_reterived_follower_ratio,
        100 * duplicate_more_than_10_fake / reterived_followers as duplicate_more_than_10_reterived_follower_ratio
    from creators
),

{#- One account row per handle joined after the aggregation, so that a taken-over handle cannot multiply followers. #}
final as (
    select
        r.creator_handle as handle,
        r.reterived_followers,
        toNullable(toInt64(a.follower_count)) as total_followers,
        r.* except (creator_handle, reterived_followers),
        3 * (100 - r.avg_of_evaluation_score)
            + r.duplicate_more_than_5_reterived_follower_ratio
            + r.final_fake_reterived_follower_ratio as final_score,
        3 * (100 - r.avg_of_evaluation_score)
            + r.duplicate_more_than_10_reterived_follower_ratio
            + r.final_fake_reterived_follower_ratio as final_score_new
    from ratios as r
    left join accounts as a
        on lower(r.creator_handle) = a.account_handle
)

select *
from final
