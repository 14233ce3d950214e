"""From rows as read to one observation per post or profile and moment, still inside the staging tables."""

# ruff: noqa: S608 - statements are composed of table names and constants of this package, never of file contents

from __future__ import annotations

from dataclasses import dataclass

from stir_assets.errors import PermanentError
from stir_assets.importers.observations import Post, Profile
from stir_assets.importers.stage import Stage

DAY = 86_400
DERIVED_SOURCE = "import:youtube-trending"
BROKEN = "\ufffd"

_PROFILE_COLUMNS = ", ".join(Profile._fields)
_POST_COLUMNS = ", ".join(Post._fields)


@dataclass(frozen=True)
class Settled:
    """What became of the rows: `kept` observations; `duplicates` said the same again; `conflicts` said other
    counters for the same moment (the greater one is kept)."""

    kept: int
    duplicates: int
    conflicts: int


def settle_posts(stage: Stage, titles: str | None) -> Settled:
    """One observation per post and moment; missing titles are filled from the table `titles`.

    Of several observations of one moment the one with most views (then likes, then comments) is kept: counters
    grow, so it is the latest. Rows whose file does not say when it was written get the start of the day after
    their newest publish time. Raises `PermanentError` when there is none.
    """
    raw = stage.table("raw_posts")
    fallback = _fallback_moment(stage, raw)
    total, distinct, keys = stage.one(
        f"SELECT count(), uniqExact((shortcode, moment, views, likes, dislikes, comments)),"
        f" uniqExact((shortcode, moment)) FROM (SELECT *, coalesce(observed_at, {fallback}) AS moment FROM {raw})"
    )
    title, join = "r.title", ""
    if titles is not None:
        title = "if(r.title = '', coalesce(t.found, ''), r.title)"
        join = (
            f"LEFT JOIN (SELECT shortcode, argMax(title, (position(title, '{BROKEN}') = 0, line)) AS found"
            f" FROM {titles} GROUP BY shortcode) AS t ON t.shortcode = r.shortcode"
        )
    chosen = {
        "title": f"{title} AS title",
        "observed_at": f"coalesce(r.observed_at, {fallback}) AS observed_at",
    }
    columns = ", ".join(chosen.get(name, f"r.{name} AS {name}") for name in Post._fields)
    stage.run(
        f"INSERT INTO {stage.table('posts')} (line, {_POST_COLUMNS})"
        f" SELECT r.line, {columns} FROM {raw} AS r {join} WHERE r.line IN ("
        # Thin columns only are sorted; the texts follow by line.
        f"SELECT line FROM (SELECT line, shortcode, views, likes, comments, position(title, '{BROKEN}') > 0 AS broken,"
        f" coalesce(observed_at, {fallback}) AS moment FROM {raw}) ORDER BY shortcode, moment, views DESC NULLS LAST,"
        f" likes DESC NULLS LAST, comments DESC NULLS LAST, broken, line LIMIT 1 BY shortcode, moment)"
    )
    return Settled(keys, total - distinct, distinct - keys)


def _fallback_moment(stage: Stage, raw: str) -> int:
    undated, newest = stage.one(f"SELECT countIf(isNull(observed_at)), max(published_at) FROM {raw}")
    if not undated:
        return 0
    if newest is None:
        raise PermanentError("nothing in the file says when it was written: give --observed-at YYYY-MM-DD")
    return (int(newest) // DAY + 1) * DAY


def settle_profiles(stage: Stage, now: int) -> Settled:
    """One observation per profile and moment; weekly gains become levels.

    Raises `PermanentError` when counters come without a moment.
    """
    raw = stage.table("raw_profiles")
    total, distinct, keys, undated = stage.one(
        "SELECT count(), uniqExact((profile_id, observed_at, period_start, followers, following, views, uploads)),"
        " uniqExact((profile_id, observed_at)), countIf(isNull(observed_at) AND origin != 'attributes')"
        f" FROM {raw}"
    )
    if undated:
        raise PermanentError("nothing in the file says when it was written: give --observed-at YYYY-MM-DD")
    columns = ", ".join(
        f"coalesce(observed_at, {now}) AS observed_at" if name == "observed_at" else name
        for name in Profile._fields
    )
    best = (
        f"SELECT line, {columns} FROM {raw} WHERE origin {{}} 'gain'"
        f" ORDER BY profile_id, observed_at, views DESC NULLS LAST, followers DESC NULLS LAST, line"
        f" LIMIT 1 BY profile_id, observed_at"
    )
    stage.run(f"INSERT INTO {stage.table('profiles')} (line, {_PROFILE_COLUMNS}) {best.format('!=')}")
    levels = ", ".join(_LEVELS.get(name, name) for name in Profile._fields)
    stage.run(f"INSERT INTO {stage.table('profiles')} (line, {_PROFILE_COLUMNS}) {_levels_sql(best, levels)}")
    return Settled(keys, total - distinct, distinct - keys)


_LEVELS = {
    "followers": "toInt64(f_sum - least(0, min(f_sum) OVER (PARTITION BY profile_id))) AS followers",
    "views": "toInt64(v_sum - least(0, min(v_sum) OVER (PARTITION BY profile_id))) AS views",
}


def _levels_sql(best: str, levels: str) -> str:
    """Running sums of gains; a week that overlaps the one before counts with the share of its new days only.

    The level before the first week is unknown and taken as 0, raised so far that the series never falls below 0:
    a lower bound of the true counter.
    """
    return f"""
SELECT line, {levels} FROM
(
    SELECT *, sum(f_gain) OVER so_far AS f_sum, sum(v_gain) OVER so_far AS v_sum
    FROM
    (
        SELECT *,
            greatest(0, observed_at - greatest(period_start, previous_end)) / (observed_at - period_start) AS share,
            toInt64(round(coalesce(followers, 0) * share)) AS f_gain,
            toInt64(round(coalesce(views, 0) * share)) AS v_gain
        FROM
        (
            SELECT *, coalesce(max(observed_at) OVER (PARTITION BY profile_id ORDER BY observed_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS previous_end
            FROM ({best.format("=")})
        )
    )
    WINDOW so_far AS (PARTITION BY profile_id ORDER BY observed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)"""


def profiles_from_posts(stage: Stage) -> None:
    """The authors of the posts: name and country (the most frequent one), and followers where posts state them."""
    posts, profiles = stage.table("posts"), stage.table("profiles")
    stage.run(f"""
INSERT INTO {profiles} (profile_id, handle, name, tagged_country, observed_at, origin)
SELECT p.profile_id, p.user_name, p.shown, coalesce(c.country, ''), p.last, 'attributes'
FROM
(
    SELECT profile_id, argMax(handle, observed_at) AS user_name, max(observed_at) AS last,
        argMax(author, (author != '', position(author, '{BROKEN}') = 0, observed_at)) AS shown
    FROM {posts} GROUP BY profile_id
) AS p
LEFT JOIN (
    SELECT profile_id, country
    FROM (SELECT profile_id, country, count() AS n FROM {posts} WHERE country != '' GROUP BY profile_id, country)
    ORDER BY n DESC, country LIMIT 1 BY profile_id
) AS c ON c.profile_id = p.profile_id""")
    stage.run(
        f"INSERT INTO {profiles} (profile_id, handle, observed_at, followers, origin)"
        f" SELECT profile_id, any(handle), observed_at, max(followers), 'measured' FROM {posts}"
        f" WHERE isNotNull(followers) GROUP BY profile_id, observed_at"
    )


def derive_channel_counters(stage: Stage) -> None:
    """Lower bounds of a channel's views and uploads per day, from the videos seen in lists until then.

    views = sum of the latest known views of each video seen so far; uploads = number of those videos. Videos of
    earlier imports of lists count too. Channels with counters from any other source get none: measured beats
    derived. Subscribers cannot be derived and stay unknown.
    """
    posts, profiles = stage.table("posts"), stage.table("profiles")
    stage.run(f"""
INSERT INTO {profiles} (profile_id, observed_at, views, uploads, origin)
SELECT profile_id, observed_at,
    toInt64(sum(gained) OVER so_far), toInt64(sum(first_seen) OVER so_far), 'derived'
FROM
(
    SELECT profile_id, observed_at, sum(delta) AS gained, countIf(number = 1) AS first_seen
    FROM
    (
        SELECT profile_id, observed_at,
            views - lagInFrame(views, 1, 0) OVER by_video AS delta,
            row_number() OVER by_video AS number
        FROM
        (
            SELECT profile_id, shortcode, toInt64(observed_at) AS observed_at, argMax(known_views, is_stored) AS views
            FROM
            (
                SELECT profile_id, shortcode, assumeNotNull(observed_at) AS observed_at,
                    assumeNotNull(views) AS known_views, 0 AS is_stored
                FROM {posts} WHERE isNotNull(views)
                UNION ALL
                SELECT assumeNotNull(profile_id), assumeNotNull(shortcode), toUnixTimestamp(event_timestamp),
                    JSONExtractInt(metrics, 'view_count'), 1
                FROM _e.post_log_events
                WHERE platform = 'YOUTUBE' AND source = '{DERIVED_SOURCE}' AND JSONHas(metrics, 'view_count')
                    AND profile_id IN (SELECT profile_id FROM {posts})
            )
            GROUP BY profile_id, shortcode, observed_at
        )
        WINDOW by_video AS (PARTITION BY profile_id, shortcode ORDER BY observed_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    GROUP BY profile_id, observed_at
)
WHERE profile_id NOT IN (
    SELECT profile_id FROM _e.profile_log_events
    WHERE platform = 'YOUTUBE' AND source != '{DERIVED_SOURCE}' AND profile_id IN (SELECT profile_id FROM {posts})
)
WINDOW so_far AS (PARTITION BY profile_id ORDER BY observed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)""")
