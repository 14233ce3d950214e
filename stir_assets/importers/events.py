"""SQL for the event streams and the old category lists that observations bring, leaving out what is stored."""

# ruff: noqa: S608 - statements are composed of table names and constants of this package, never of file contents

from __future__ import annotations

from stir_assets.importers.stage import Stage

_POST_METRICS = {
    "YOUTUBE": {"view_count": "views", "likes": "likes", "dislikes": "dislikes", "comments": "comments"},
    "INSTAGRAM": {
        "likes": "likes",
        "comments": "comments",
        "play_count": "views",
        "saves": "saves",
        "reach": "reach",
        "impressions": "impressions",
    },
}
_PROFILE_METRICS = {
    "YOUTUBE": {"view_count": "views", "subscriber_count": "followers", "video_count": "uploads"},
    "INSTAGRAM": {"followers": "followers", "following": "following", "media_count": "uploads"},
}
_POST_DIMENSIONS = {
    "post_type": "post_type",
    "thumbnail_src": "thumbnail",
    "location": "location",
    "category_id": "coalesce(toString(category_id), '')",
    "trending_country": "country",
    "tags": "tags",
}
_PROFILE_DIMENSIONS = {
    "title": "name",
    "category": "category",
    "website": "website",
    "audience_country": "audience_country",
    "lower_bound": "if(origin IN ('derived', 'gain'), origin, '')",
}


def metrics_json(platform: str, metrics: dict[str, dict[str, str]]) -> str:
    """SQL of the counters as a JSON object; a counter that is unknown is left out, never written as 0."""
    pairs = ", ".join(f"'{key}', {column}" for key, column in metrics[platform].items())
    return f"toJSONString(mapFilter((k, v) -> isNotNull(v), map({pairs})))"


def _dimensions_json(dimensions: dict[str, str]) -> str:
    pairs = ", ".join(f"'{key}', {column}" for key, column in dimensions.items())
    return f"toJSONString(mapFilter((k, v) -> v != '', map({pairs})))"


def event_id(source: str, platform: str, key: str) -> str:
    """SQL of the id of an event: the same observation gets the same id in every import."""
    return f"lower(hex(MD5(concat('{source}|{platform}|', {key}, '|', toString(observed_at)))))"


def post_events_sql(stage: Stage, destination: str, source: str, platform: str, now: int) -> str:
    """INSERT of the observations of posts that are not stored yet into `destination`."""
    posts = stage.table("posts")
    handle = "profile_id" if platform == "YOUTUBE" else "handle"
    return f"""
INSERT INTO {destination}
    (event_id, event_timestamp, insert_timestamp, platform, shortcode, profile_id, handle, source, publish_time,
     metrics, dimensions)
SELECT {event_id(source, platform, "shortcode")} AS id, toDateTime(observed_at), toDateTime({now}), '{platform}',
    shortcode, profile_id, {handle}, '{source}', toDateTime(published_at),
    {metrics_json(platform, _POST_METRICS)}, {_dimensions_json(_POST_DIMENSIONS)}
FROM {posts}
WHERE id NOT IN (
    SELECT event_id FROM _e.post_log_events
    WHERE platform = '{platform}' AND source = '{source}' AND shortcode IN (SELECT shortcode FROM {posts})
)"""


def profile_events_sql(stage: Stage, destination: str, source: str, platform: str, now: int) -> str:
    """INSERT of the observations of profiles that are not stored yet; those without any counter are no events."""
    profiles = stage.table("profiles")
    handle = "profile_id" if platform == "YOUTUBE" else "handle"
    counters = " OR ".join(f"isNotNull({column})" for column in _PROFILE_METRICS[platform].values())
    return f"""
INSERT INTO {destination}
    (event_id, event_timestamp, insert_timestamp, source, platform, profile_id, handle, metrics, dimensions)
SELECT {event_id(source, platform, "profile_id")} AS id, toDateTime(observed_at), toDateTime({now}), '{source}',
    '{platform}', profile_id, {handle},
    {metrics_json(platform, _PROFILE_METRICS)}, {_dimensions_json(_PROFILE_DIMENSIONS)}
FROM {profiles}
WHERE origin != 'attributes' AND ({counters}) AND id NOT IN (
    SELECT event_id FROM _e.profile_log_events
    WHERE platform = '{platform}' AND source = '{source}' AND profile_id IN (SELECT profile_id FROM {profiles})
)"""


def category_names_sql(stage: Stage, destination: str) -> str:
    """INSERT of category names of profiles that `vidooly.category` lacks, with ids that depend on the name only."""
    return f"""
INSERT INTO {destination} (id, category)
SELECT toInt64(1000000 + cityHash64(lower(category)) % 1000000000), any(category) AS name
FROM {stage.table("profiles")}
WHERE category != '' AND lower(category) NOT IN (SELECT lower(category) FROM vidooly.category)
GROUP BY lower(category)"""


def creator_list_sql(stage: Stage, destination: str, platform: str, new_categories: str) -> str:
    """INSERT of creators with a category that the creator list does not know yet.

    The category of a channel is the one most of its videos have; of a profile the one its file names.
    """
    youtube = platform == "YOUTUBE"
    listed = "youtube_userid" if youtube else "instagram_userid"
    user = "p.profile_id, '', ''" if youtube else "'', p.profile_id, p.user_name"
    return f"""
INSERT INTO {destination} (youtube_userid, instagram_userid, instagram_username, country, ccatid, youtube_category)
SELECT {user}, nullIf(p.country, ''), nullIf(toString(coalesce(c.id, 0)), '0'), toString(v.number)
FROM
(
    SELECT profile_id, max(handle) AS user_name, max(tagged_country) AS country, max(p.category) AS named
    FROM {stage.table("profiles")} AS p GROUP BY profile_id
) AS p
LEFT JOIN (
    SELECT profile_id, argMax(category_id, (videos, -category_id)) AS number
    FROM (SELECT profile_id, category_id, uniqExact(shortcode) AS videos FROM {stage.table("posts")}
          WHERE isNotNull(category_id) GROUP BY profile_id, category_id)
    GROUP BY profile_id
) AS v ON v.profile_id = p.profile_id
LEFT JOIN (
    SELECT lower(category) AS name, min(id) AS id
    FROM (SELECT id, category FROM vidooly.category UNION ALL SELECT id, category FROM {new_categories})
    GROUP BY name
) AS c ON c.name = lower(p.named)
WHERE (isNotNull(v.number) OR isNotNull(c.id))
    AND p.profile_id NOT IN (SELECT {listed} FROM vidooly.social_profiles_new_20230217)"""
