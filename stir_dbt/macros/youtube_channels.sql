{% macro youtube_channels() -%}
{#-
    Who a YouTube channel is and how big: one row per channel known to the channel snapshots or to the own scraper.
    One definition for the account mart, the peer groups, the links and the audience quality.

    Emits the CTEs snapshot_channels, channel_feeds, merged_channels, listed_channels and youtube_channels. The caller
    provides, as import CTEs: stg_beat_youtube_account, mart_manual_data_yt, social_profiles, vidooly_categories,
    vidooly_youtube_categories, vidooly_youtube_channels.

    Each column comes from the feed that was updated last and has it. category: manual tag, category of the social
    list, the platform's own category mapped.
-#}
{%- set blacklist = var('youtube_blacklisted_channels') -%}
snapshot_channels as (
    select
        id as channel_id,
        argMax(
            (country, custom_url, title, description, thumbnail, video_count, view_count, subscriber_count,
                parseDateTimeBestEffortOrZero(last_updated_at, 'UTC')),
            (parseDateTimeBestEffortOrZero(last_updated_at, 'UTC'), snapshot_date)
        ) as newest
    from vidooly_youtube_channels
    where id != ''
    group by id
),

channel_feeds as (
    select
        channel_id,
        0 as feed_priority,
        newest.9 as feed_updated_at,
        {{ present_text('newest.1') }} as feed_country,
        {{ present_text('newest.2') }} as feed_custom_url,
        {{ present_text('newest.3') }} as feed_title,
        {{ present_text('newest.4') }} as feed_description,
        {{ present_text('newest.5') }} as feed_thumbnail,
        toInt64OrNull(newest.6) as feed_uploads,
        toInt64OrNull(newest.7) as feed_views,
        toInt64OrNull(newest.8) as feed_subscribers,
        null as feed_tagged_country,
        null as feed_language,
        null as feed_account_type
    from snapshot_channels
    union all
    select
        channel_id,
        1 as feed_priority,
        updated_at as feed_updated_at,
        {{ present_text('country') }} as feed_country,
        {{ present_text('custom_url') }} as feed_custom_url,
        {{ present_text('title') }} as feed_title,
        {{ present_text('description') }} as feed_description,
        {{ present_text('thumbnail') }} as feed_thumbnail,
        uploads as feed_uploads,
        views as feed_views,
        subscribers as feed_subscribers,
        {{ present_text('tagged_country') }} as feed_tagged_country,
        {{ present_text('language') }} as feed_language,
        {{ present_text('account_type') }} as feed_account_type
    from stg_beat_youtube_account
),

merged_channels as (
    select
        channel_id,
        max(feed_updated_at) as updated_at,
        {%- for column in [
            'country', 'custom_url', 'title', 'description', 'thumbnail', 'uploads', 'views', 'subscribers',
            'tagged_country', 'language', 'account_type',
        ] %}
        argMax(feed_{{ column }}, (feed_updated_at, feed_priority)) as merged_{{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from channel_feeds
    where channel_id != ''{% if blacklist %} and not has({{ sql_list(blacklist) }}, channel_id){% endif %}
    group by channel_id
),

listed_channels as (
    select
        youtube_userid as listed_channel_id,
        toInt64OrNull(ccatid) as listed_category_id,
        toInt64OrNull(youtube_category) as listed_youtube_category_id,
        {{ present_text('language') }} as listed_language,
        {{ present_text('contacts_email') }} as listed_email,
        {{ present_text('contacts_phone') }} as listed_phone
    from social_profiles
    where youtube_userid != ''
    order by listed_category_id is null, listed_category_id, instagram_userid
    limit 1 by listed_channel_id
),

youtube_channels as (
    select
        channel.channel_id as channel_id,
        channel.updated_at as updated_at,
        channel.merged_custom_url as custom_url,
        channel.merged_title as title,
        channel.merged_description as description,
        channel.merged_thumbnail as thumbnail,
        channel.merged_language as scraper_language,
        channel.merged_account_type as scraper_account_type,
        {{ not_negative('coalesce(channel.merged_uploads, 0)') }} as uploads,
        {{ not_negative('coalesce(channel.merged_views, 0)') }} as views,
        coalesce(channel.merged_subscribers, 0) as followers,
        if(
            lower(coalesce(channel.merged_tagged_country, channel.merged_country))
                = lower('{{ var("market_country_name") }}'),
            '{{ var("market_country") }}',
            coalesce(channel.merged_tagged_country, channel.merged_country)
        ) as country,
        {{ map_text('platform_category.category', 'youtube_categories') }} as yt_category,
        coalesce(
            tagged.category, nullIf(listed_category.category, ''),
            {{ map_text('platform_category.category', 'youtube_categories') }}
        ) as category,
        listed.listed_language as listed_language,
        listed.listed_email as listed_email,
        listed.listed_phone as listed_phone,
        tagged.profile_type as manual_profile_type,
        tagged.language as manual_language,
        tagged.gender as gender,
        tagged.city as city,
        tagged.state as state,
        tagged.email as manual_email
    from merged_channels as channel
    left join listed_channels as listed
        on channel.channel_id = listed.listed_channel_id
    left join vidooly_categories as listed_category
        on listed.listed_category_id = listed_category.id
    left join vidooly_youtube_categories as platform_category
        on listed.listed_youtube_category_id = platform_category.id
    left join mart_manual_data_yt as tagged
        on channel.channel_id = tagged.channel_id
)
{%- endmacro %}

{% macro youtube_growth() -%}
{#-
    Channels with their growth and their peer-group keys: emits the CTE grown_channels on top of youtube_channels().
    The caller provides mart_yt_growth as an import CTE.
-#}
grown_channels as (
    select
        channel.*,
        {{ follower_group('channel.followers') }} as follower_group,
        if(channel.uploads = 0, 0., channel.views / channel.uploads) as avg_views,
        growth.follower_7d as followers_growth7d,
        growth.follower_30d as followers_growth30d,
        growth.follower_1y as followers_growth1y,
        {{ not_negative('growth.uploads_7d') }} as avg_posts_per_week,
        {{ not_negative('growth.views_7d') }} as views_7d,
        {{ not_negative('growth.uploads_30d') }} as uploads_30d,
        {{ not_negative('growth.views_30d') }} as views_30d,
        growth.views_1y as views_1y,
        {{ peer_group_key('YT', ['channel.country', 'channel.category', 'follower_group']) }} as primary_group,
        {{ peer_group_key('YT', ['channel.country', 'follower_group']) }} as secondary_group
    from youtube_channels as channel
    left join mart_yt_growth as growth
        on channel.channel_id = growth.channelid
)
{%- endmacro %}

{% macro youtube_measures() -%}
{#-
    Every measure a channel is graded by: emits recent_videos, channel_videos and youtube_profiles on top of
    youtube_growth(). The caller provides stg_beat_youtube_post as an import CTE. Means are over the newest videos
    (newest shorts for shorts_reach); an unknown counter is left out of its mean. Measures a channel cannot have are 0.
-#}
unique_videos as (
    select
        shortcode,
        argMax(
            (channel_id, coalesce(lower(post_type), '') in ('short', 'shorts'), published_at, views, likes, comments),
            updated_at
        ) as video
    from stg_beat_youtube_post
    where shortcode != '' and published_at is not null
    group by shortcode
),

recent_videos as (
    select
        video.1 as videos_channel_id,
        video.2 as is_short,
        video.4 as video_views,
        video.5 as video_likes,
        video.6 as video_comments,
        row_number() over (partition by video.1 order by video.3 desc, shortcode) as video_number,
        row_number() over (partition by video.1, video.2 order by video.3 desc, shortcode) as class_number
    from unique_videos
),

channel_videos as (
    select
        videos_channel_id,
        avgOrNullIf(video_likes, video_number <= {{ var('recent_posts_limit') }}) as recent_likes,
        avgOrNullIf(video_comments, video_number <= {{ var('recent_posts_limit') }}) as recent_comments,
        avgOrNullIf(video_likes + video_comments, video_number <= {{ var('recent_posts_limit') }}) as recent_engagement,
        maxOrNullIf(video_likes, video_number <= {{ var('recent_posts_limit') }}) as most_likes,
        avgOrNullIf(video_views, is_short and class_number <= {{ var('recent_posts_limit') }}) as recent_shorts_views
    from recent_videos
    where class_number <= {{ var('recent_posts_limit') }}
    group by videos_channel_id
),

youtube_profiles as (
    select
        channel.*,
        videos.recent_likes as avg_likes,
        videos.recent_comments as avg_comments,
        {{ ratio('100 * videos.recent_comments', 'channel.followers') }} as comments_rate,
        {{ ratio('videos.recent_engagement', 'channel.followers') }} as engagement_rate,
        {{ ratio('videos.recent_likes', 'videos.recent_comments') }} as likes_to_comment_ratio,
        {{ ratio('100 * videos.most_likes', 'videos.recent_likes') }} as likes_spread,
        round(videos.recent_shorts_views) as shorts_reach,
        round(channel.avg_views) as video_reach,
        channel.uploads as post_count,
        {%- for metric in [
            'followers_growth90d', 'audience_reachability', 'audience_authencity', 'audience_quality', 'reels_reach',
            'image_reach', 'story_reach', 'reels_impressions', 'image_impressions',
        ] %}
        0 as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from grown_channels as channel
    left join channel_videos as videos
        on channel.channel_id = videos.videos_channel_id
)
{%- endmacro %}
