{{ config(order_by=['platform', 'platform_id']) }}
{%- set rated = ['followers_growth30d', 'views_30d', 'uploads_30d'] %}

with instagram_prediction as (
    select * from {{ source('ds', 'instagram_prediction') }}
),

mart_manual_data_yt as (
    select * from {{ ref('mart_manual_data_yt') }}
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

stg_beat_profile_relationship_log as (
    select * from {{ ref('stg_beat_profile_relationship_log') }}
),

stg_beat_youtube_account as (
    select * from {{ ref('stg_beat_youtube_account') }}
),

vidooly_categories as (
    select * from {{ source('vidooly', 'category') }}
),

vidooly_youtube_categories as (
    select * from {{ source('vidooly', 'youtube_category') }}
),

vidooly_youtube_channels as (
    select * from {{ source('vidooly', 'youtube_channels') }}
),

-- Instagram: the scraped followers that are known accounts
follow_pairs as (
    select distinct
        assumeNotNull(target_profile_id) as target_id,
        lower(JSONExtractString(coalesce(source_dimensions, ''), 'handle')) as follower_handle
    from stg_beat_profile_relationship_log
    where
        platform = 'INSTAGRAM'
        and coalesce(relationship_type, 'FOLLOWER') = 'FOLLOWER'
        and target_profile_id != ''
        and follower_handle != ''
),

follower_accounts as (
    select
        lower(handle) as account_handle,
        argMax((profile_id, followers, following), (updated_at, profile_id)) as account
    from stg_beat_instagram_account
    where lower(handle) in (select follower_handle from follow_pairs)
    group by account_handle
),

predictions as (
    select
        toString(profile_id) as predicted_profile_id,
        argMax(
            (gender_male, gender_female, gender_from_img_model, age, top_cities, country),
            (gender_from_img_model != '', age is not null, coalesce(age, 0))
        ) as prediction
    from instagram_prediction
    where toString(profile_id) in (select account.1 from follower_accounts)
    group by predicted_profile_id
),

known_followers as (
    select
        pair.target_id as target_id,
        follower.account.1 as follower_id,
        follower.account.2 as follower_followers,
        follower.account.3 as follower_following,
        if(
            follower.account.3 = 0, toFloat64(follower.account.2), follower.account.2 / follower.account.3
        ) as follower_ratio,
        multiIf(
            predicted.prediction.3 in ('M', 'F'), predicted.prediction.3,
            predicted.prediction.1 > predicted.prediction.2
                and predicted.prediction.1 > {{ var('name_gender_min_score') }}, 'M',
            predicted.prediction.2 > predicted.prediction.1
                and predicted.prediction.2 > {{ var('name_gender_min_score') }}, 'F',
            null
        ) as follower_gender,
        multiIf(
            predicted.prediction.4 is null or predicted.prediction.4 < 13, null,
            predicted.prediction.4 < 18, '13-17', predicted.prediction.4 < 25, '18-24',
            predicted.prediction.4 < 35, '25-34', predicted.prediction.4 < 45, '35-44',
            predicted.prediction.4 < 55, '45-54', predicted.prediction.4 < 65, '55-64',
            '65+'
        ) as follower_age,
        lower(trimBoth(predicted.prediction.5)) as follower_city,
        -- the predictions name countries, the rest of the platform codes its market
        if(
            lower(trimBoth(predicted.prediction.6)) = lower('{{ var("market_country_name") }}'),
            '{{ var("market_country") }}',
            {{ present_text('predicted.prediction.6') }}
        ) as follower_country
    from follow_pairs as pair
    inner join follower_accounts as follower
        on pair.follower_handle = follower.account_handle
    left join predictions as predicted
        on follower.account.1 = predicted.predicted_profile_id
),

target_audiences as (
    select
        target_id,
        count() as followers_known,
        countIf(follower_following < {{ var('reachable_max_following') }}) / followers_known as reachable_share,
        countIf(follower_ratio < {{ var('low_ratio_under') }}) / followers_known as low_ratio_share,
        countIf(follower_following > {{ var('high_following_over') }}) / followers_known as high_following_share,
        countIf(follower_followers < {{ var('low_followers_under') }}) / followers_known as low_followers_share,
        countIf(follower_gender = 'M') as men,
        countIf(follower_gender = 'F') as women,
        arraySort(groupArrayIf(
            follower_id, follower_followers > {{ var('notable_followers_over') }}
        )) as notable_followers,
        {%- for name, key in [
            ('age', "concat(follower_gender, '_', follower_age)"), ('city', "nullIf(follower_city, '')"),
            ('country', 'follower_country'),
        ] %}
        sumMapIf([coalesce({{ key }}, '')], [toUInt64(1)], {{ key }} is not null) as {{ name }}_counts,
        arraySort(
            pair -> (-toInt64(pair.2), pair.1), arrayZip({{ name }}_counts.1, {{ name }}_counts.2)
        ) as {{ name }}_pairs{% if not loop.last %},{% endif %}
        {%- endfor %}
    from known_followers
    group by target_id
    having followers_known >= {{ var('audience_min_followers') }}
),

instagram_audiences as (
    select
        toLowCardinality('INSTAGRAM') as platform,
        audience.target_id as platform_id,
        toNullable(target.handle) as platform_handle,
        round(100 * audience.reachable_share, 2) as reachable_followers_perc,
        round(100 * (1 - audience.low_ratio_share), 2) as audience_authenticity,
        round(100 * audience.low_followers_share) as breakup_low_followers,
        round(100 * audience.high_following_share) as breakup_high_following,
        round(100 * (1 - audience.low_ratio_share)) as breakup_audience_authenticity,
        {%- for part, share in [
            ('audience_authenticity', 'low_ratio_share'), ('high_following', 'high_following_share'),
            ('low_followers', 'low_followers_share'),
        ] %}
        toLowCardinality({{ score_grade('100 * (1 - audience.' ~ share ~ ')') }}) as breakup_{{ part }}_grade,
        {%- endfor %}
        {%- for metric in rated %}
        toLowCardinality('Poor') as breakup_{{ metric }}_grade,
        {%- endfor %}
        100 * (
            1 - 0.25 * audience.low_followers_share - 0.25 * audience.high_following_share
            - 0.5 * audience.low_ratio_share
        ) as audience_quality_score,
        toLowCardinality({{ score_grade('audience_quality_score') }}) as audience_quality_grade,
        round({{ ratio('100 * audience.men', '(audience.men + audience.women)') }}, 2) as male_followers_perc,
        round({{ ratio('100 * audience.women', '(audience.men + audience.women)') }}, 2) as female_followers_perc,
        audience.notable_followers as notable_followers,
        {%- for plural, single, pairs in [
            ('age_groups', 'age_group', 'age_pairs'), ('cities', 'city', 'city_pairs'),
            ('countries', 'country', 'country_pairs'),
        ] %}
        arrayMap(pair -> pair.1, audience.{{ pairs }}) as {{ plural }},
        arrayMap(
            pair -> round(100 * pair.2 / arraySum(item -> item.2, audience.{{ pairs }}), 2), audience.{{ pairs }}
        ) as {{ single }}_percs{% if not loop.last %},{% endif %}
        {%- endfor %}
    from target_audiences as audience
    left join stg_beat_instagram_account as target
        on audience.target_id = target.profile_id
),

-- YouTube: demographics of the social list and the quality of the channel
{{ youtube_channels() }},

{{ youtube_growth() }},

channel_percentiles as (
    select
        channel_id,
        country,
        {%- for metric in rated %}
        {{ metric }},
        if(
            count() over (partition by primary_group) > {{ var('peer_group_min_profiles') }},
            {{ peer_percentiles(metric, '(partition by primary_group)') }},
            {{ peer_percentiles(metric, '(partition by secondary_group)') }}
        ) as {{ metric }}_percentiles{% if not loop.last %},{% endif %}
        {%- endfor %}
    from grown_channels
),

graded_channels as (
    select
        channel_id,
        {%- for metric in rated %}
        {{ percentile_grade(
            metric, metric ~ '_percentiles[1]', metric ~ '_percentiles[2]', metric ~ '_percentiles[3]',
            metric ~ '_percentiles[4]'
        ) }} as {{ metric }}_grade,
        {{ grade_rating(metric ~ '_grade') }} as {{ metric }}_rating,
        {%- endfor %}
        {{ channel_rating('followers_growth30d_rating', 'views_30d_rating', 'uploads_30d_rating') }} as weighted_rating
    from channel_percentiles
    where country = '{{ var("market_country") }}'
),

listed_demographics as (
    select
        youtube_userid as demographic_channel_id,
        youtube_demographic_m_all as male_percent,
        youtube_demographic_f_all as female_percent,
        [
            {%- for gender in ['m', 'f'] %}
            {%- set gender_loop = loop %}
            {%- for age in var('audience_ages') %}
            coalesce(youtube_demographic_{{ gender }}_{{ age | replace('-', '_') | replace('+', '') }}, 0.)
            {%- if not (loop.last and gender_loop.last) %},{% endif %}
            {%- endfor %}
            {%- endfor %}
        ] as age_percents
    from social_profiles
    where youtube_userid != ''
    order by arraySum(age_percents) desc, instagram_userid
    limit 1 by demographic_channel_id
),

youtube_audiences as (
    select
        toLowCardinality('YOUTUBE') as platform,
        channel.channel_id as platform_id,
        toNullable(channel.channel_id) as platform_handle,
        0. as reachable_followers_perc,
        0. as audience_authenticity,
        0. as breakup_low_followers,
        0. as breakup_high_following,
        0. as breakup_audience_authenticity,
        {%- for part in ['audience_authenticity', 'high_following', 'low_followers'] %}
        toLowCardinality('Poor') as breakup_{{ part }}_grade,
        {%- endfor %}
        {%- for metric in rated %}
        toLowCardinality(coalesce(channel.{{ metric }}_grade, 'Poor')) as breakup_{{ metric }}_grade,
        {%- endfor %}
        19 * channel.weighted_rating as audience_quality_score,
        toLowCardinality({{ rating_grade('channel.weighted_rating') }}) as audience_quality_grade,
        -- the list rounds, and some of its channels miss a part: the known parts are made to sum to 100
        round({{ ratio(
            '100 * demographics.male_percent', '(demographics.male_percent + demographics.female_percent)'
        ) }}, 2) as male_followers_perc,
        round({{ ratio(
            '100 * demographics.female_percent', '(demographics.male_percent + demographics.female_percent)'
        ) }}, 2) as female_followers_perc,
        emptyArrayString() as notable_followers,
        {{ sql_list(age_group_keys()) }} as age_groups,
        {{ shares_of_sum(
            'if(empty(demographics.age_percents), arrayResize(emptyArrayFloat64(), 14), demographics.age_percents)'
        ) }} as age_group_percs,
        emptyArrayString() as cities,
        emptyArrayFloat64() as city_percs,
        {{ market_countries() }}
    from graded_channels as channel
    left join listed_demographics as demographics
        on channel.channel_id = demographics.demographic_channel_id
),

final as (
    select
        {{ audience_columns() | indent(4) }}
    from instagram_audiences
    union all
    select
        {{ audience_columns() | indent(4) }}
    from youtube_audiences
)

select
    {{ audience_columns() }}
from final
