{{ config(order_by=['platform', 'platform_id']) }}

with stg_beat_instagram_profile_insights as (
    select * from {{ ref('stg_beat_instagram_profile_insights') }}
),

stg_beat_youtube_profile_insights as (
    select * from {{ ref('stg_beat_youtube_profile_insights') }}
),

instagram_insights as (
    select
        'INSTAGRAM' as platform,
        assumeNotNull(profile_id) as platform_id,
        toNullable(handle) as platform_handle,
        [
            {%- for gender in ['male', 'female'] %}
            {%- set gender_loop = loop %}
            {%- for age in var('audience_ages') %}
            JSONExtractFloat(coalesce(audience_gender_age, '{}'), '{{ gender }}', '{{ age }}')
            {%- if not (loop.last and gender_loop.last) %},{% endif %}
            {%- endfor %}
            {%- endfor %}
        ] as weights,
        JSONExtractKeysAndValues(coalesce(audience_city, '{}'), 'Float64') as city_pairs
    from stg_beat_instagram_profile_insights
    where profile_id != '' and audience_gender_age != ''
    order by updated_at desc
    limit 1 by platform_id
),

youtube_insights as (
    select
        'YOUTUBE' as platform,
        channel_id as platform_id,
        toNullable(channel_id) as platform_handle,
        [
            {%- for gender in ['male', 'female'] %}
            {%- set gender_loop = loop %}
            {%- for age in var('audience_ages') %}
            JSONExtractFloat(coalesce(gender_age, '{}'), '{{ gender }}', 'age{{ age | replace("+", "-") }}')
            {%- if not (loop.last and gender_loop.last) %},{% endif %}
            {%- endfor %}
            {%- endfor %}
        ] as weights,
        JSONExtractKeysAndValues(coalesce(city, '{}'), 'Float64') as city_pairs
    from stg_beat_youtube_profile_insights
    where channel_id != '' and gender_age != ''
    order by updated_at desc
    limit 1 by platform_id
),

insights as (
    select * from instagram_insights
    union all
    select * from youtube_insights
),

-- "Mumbai, Maharashtra" -> mumbai; two places of one name are one city, largest first
named_cities as (
    select
        * except (city_pairs),
        arrayMap(
            pair -> (lower(trimBoth(splitByChar(',', pair.1)[1])), pair.2), arrayFilter(pair -> pair.2 > 0, city_pairs)
        ) as name_pairs,
        arraySort(
            city -> (-city.2, city.1),
            arrayMap(
                name -> (name, arraySum(arrayMap(pair -> if(pair.1 = name, pair.2, 0.), name_pairs))),
                arrayDistinct(arrayFilter(name -> name != '', arrayMap(pair -> pair.1, name_pairs)))
            )
        ) as city_weights
    from insights
),

final as (
    select
        toLowCardinality(platform) as platform,
        platform_id,
        platform_handle,
        {{ no_follower_figures() }}
        {{ age_figures('weights') }}
        {{ city_figures('city_weights') }}
        {{ market_countries() }}
    from named_cities
)

select
    {{ audience_columns() }}
from final
