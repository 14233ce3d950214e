{{ config(order_by='group_key') }}
{%- set metrics = peer_metrics() %}

with mart_audience_info as (
    select * from {{ ref('mart_audience_info') }}
),

mart_insta_account_weekly as (
    select * from {{ ref('mart_insta_account_weekly') }}
),

mart_insta_predicted_categories as (
    select * from {{ ref('mart_insta_predicted_categories') }}
),

mart_instagram_account_summary as (
    select * from {{ ref('mart_instagram_account_summary') }}
),

mart_instagram_gpt_basic_data as (
    select * from {{ ref('mart_instagram_gpt_basic_data') }}
),

mart_linked_socials as (
    select * from {{ ref('mart_linked_socials') }}
),

mart_manual_data_yt as (
    select * from {{ ref('mart_manual_data_yt') }}
),

mart_post_location as (
    select * from {{ ref('mart_post_location') }}
),

mart_yt_growth as (
    select * from {{ ref('mart_yt_growth') }}
),

social_profiles as (
    select * from {{ source('vidooly', 'social_profiles_new_20230217') }}
),

stg_beat_instagram_account as (
    select * from {{ ref('stg_beat_instagram_account') }}
),

stg_beat_instagram_post as (
    select * from {{ ref('stg_beat_instagram_post') }}
),

stg_beat_youtube_account as (
    select * from {{ ref('stg_beat_youtube_account') }}
),

stg_beat_youtube_post as (
    select * from {{ ref('stg_beat_youtube_post') }}
),

vidooly_categories as (
    select * from {{ source('vidooly', 'category') }}
),

vidooly_instagram_profiles as (
    select * from {{ source('dbt', 'stg_vidooly_instagram_profiles') }}
),

vidooly_youtube_categories as (
    select * from {{ source('vidooly', 'youtube_category') }}
),

vidooly_youtube_channels as (
    select * from {{ source('vidooly', 'youtube_channels') }}
),

{{ instagram_profiles() }},

{{ youtube_channels() }},

{{ youtube_growth() }},

{{ youtube_measures() }},

-- every account stands in its primary and in its secondary group
grouped_accounts as (
    select
        'INSTAGRAM' as group_platform,
        peer_group.1 as grouped_key,
        peer_group.2 as is_primary,
        {%- for metric in metrics %}
        {% if metric in ['video_reach', 'shorts_reach'] -%}
        toNullable(0.)
        {%- else -%}
        toNullable(toFloat64({{ metric }}))
        {%- endif %} as account_{{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from instagram_profiles
    array join [(primary_group, true), (secondary_group, false)] as peer_group
    union all
    select
        'YOUTUBE' as group_platform,
        peer_group.1 as grouped_key,
        peer_group.2 as is_primary,
        {%- for metric in metrics %}
        toNullable(toFloat64({{ metric }})) as account_{{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from youtube_profiles
    array join [(primary_group, true), (secondary_group, false)] as peer_group
),

group_statistics as (
    select
        group_platform,
        grouped_key,
        is_primary,
        count() as profiles,
        {%- for metric in metrics %}
        {{ peer_percentiles('account_' ~ metric) }} as percentiles_{{ metric }},
        avgOrNullIf(
            account_{{ metric }},
            account_{{ metric }} > 0 and account_{{ metric }} < {{ var('peer_mean_ceiling') }}
        ) as mean_{{ metric }},
        {%- endfor %}
        arraySort(groupArrayIf(
            assumeNotNull(account_engagement_rate),
            ifNull(account_engagement_rate > 0 and account_engagement_rate < {{ var('histogram_rate_ceiling') }}, false)
        )) as engagement_rates
    from grouped_accounts
    group by group_platform, grouped_key, is_primary
    having
        profiles > {{ var('peer_group_min_profiles') }}
        or (group_platform = 'YOUTUBE' and not is_primary)
),

group_histograms as (
    select
        *,
        if(
            group_platform = 'INSTAGRAM' and notEmpty(engagement_rates),
            arrayReduce('quantileExactInclusive(0.95)', engagement_rates), inf
        ) as rate_p95,
        arrayReduce('histogram(7)', arrayFilter(rate -> rate < rate_p95, engagement_rates)) as body_bins,
        if(
            isFinite(rate_p95),
            arrayConcat(body_bins, [(
                rate_p95, arrayMax(engagement_rates),
                arraySum(arrayMap(bin -> bin.3, body_bins)) / {{ var('histogram_tail_divisor') }}
            )]),
            body_bins
        ) as bins
    from group_statistics
),

final as (
    select
        grouped_key as group_key,
        profiles,
        {%- for metric in metrics %}
        {%- for level in ['40', '60', '75', '90'] %}
        if(
            isFinite(percentiles_{{ metric }}[{{ loop.index }}]), percentiles_{{ metric }}[{{ loop.index }}], null
        ) as p{{ level }}_{{ metric }},
        {%- endfor %}
        mean_{{ metric }} as group_avg_{{ metric }},
        {%- endfor %}
        bins as er_histogram,
        toUInt8(0) as group_avg_reaction_rate,
        arrayMap(bin -> bin.1, bins) as bin_start,
        arrayMap(bin -> bin.2, bins) as bin_end,
        arrayMap(bin -> bin.3, bins) as bin_height
    from group_histograms
)

select
    group_key,
    profiles,
    {%- for metric in metrics %}
    {%- for level in ['p40', 'p60', 'p75', 'p90', 'group_avg'] %}
    {{ level }}_{{ metric }},
    {%- endfor %}
    {%- endfor %}
    er_histogram,
    group_avg_reaction_rate,
    bin_start,
    bin_end,
    bin_height
from final
