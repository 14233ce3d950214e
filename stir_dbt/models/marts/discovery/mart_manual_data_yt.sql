{{ config(order_by='channel_id') }}

with youtube_tagging as (
    select * from {{ source('manual', 'youtube_tagging') }}
),

-- priority 0 is the overrides file and goes first, then the newest monthly file
cleaned_rows as (
    select
        trimBoth(channelid) as cleaned_channel_id,
        if(priority = 0, 255, priority) as precedence,
        transform(
            coalesce(creator_brand, ''), ['Creator', 'Brand'], ['CREATOR', 'BRAND'], null
        ) as cleaned_profile_type,
        {{ language_code('language') }} as cleaned_language,
        {{ map_text('trimBoth(gcc_category)', 'tagged_categories') }} as cleaned_category,
        transform(
            upper(coalesce(gender, '')), ['MALE', 'M', 'FEMALE', 'F'], ['MALE', 'MALE', 'FEMALE', 'FEMALE'], null
        ) as cleaned_gender,
        {{ present_text('city') }} as cleaned_city,
        coalesce({{ map_text('trimBoth(state)', 'state_spellings') }}, {{ present_text('state') }}) as cleaned_state,
        nullIf(splitByChar('/', trimRight(
            splitByChar('?', coalesce({{ present_text('linked_instagram_handle') }}, ''))[1], '/'
        ))[-1], '') as cleaned_instagram_handle,
        {{ present_text('email') }} as cleaned_email
    from youtube_tagging
    where trimBoth(coalesce(channelid, '')) != ''
),

merged_channels as (
    select
        assumeNotNull(cleaned_channel_id) as channel_id,
        {%- for column in [
            'profile_type', 'language', 'category', 'gender', 'city', 'state', 'instagram_handle', 'email',
        ] %}
        argMax(cleaned_{{ column }}, (precedence, cleaned_{{ column }})) as merged_{{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from cleaned_rows
    group by cleaned_channel_id
),

state_counts as (
    select
        *,
        count() over (partition by merged_state) as state_channels
    from merged_channels
),

final as (
    select
        channel_id,
        toLowCardinality(merged_profile_type) as profile_type,
        toLowCardinality(merged_language) as language,
        toLowCardinality(merged_category) as category,
        toLowCardinality(merged_gender) as gender,
        merged_city as city,
        if(state_channels > {{ var('valid_state_min_channels') }}, merged_state, null) as state,
        merged_instagram_handle as linked_instagram_handle,
        merged_email as email
    from state_counts
)

select *
from final
