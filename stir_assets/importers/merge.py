"""SQL that turns settled observations into the rows a source table must gain: new ones and changed ones only.

The rules, column by column: a newer observation wins over the stored row (`NEWEST`), or only fills what is
missing there (`FILL`); counters that are lower bounds never lower a stored one (`COUNTER`); a real channel id
replaces a derived one (`AUTHOR`). Columns the files know nothing of keep the stored value. A row that would come
out as it is stored is not written, so importing again changes nothing.
"""

# ruff: noqa: S608 - statements are composed of table names and constants of this package, never of file contents

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from stir_assets.core.source_tables import SourceColumn, SourceTable, quote
from stir_assets.importers.settle import BROKEN


class Rule(Enum):
    NEWEST = "newest"
    FILL = "fill"
    COUNTER = "counter"
    AUTHOR = "author"


@dataclass(frozen=True)
class Merge:
    """How one source table takes observations.

    `columns`: target column -> (column of the observation, rule). `events` is where it is known until when the key
    was observed already; `platform` is its value there.
    """

    table: str
    key: str
    observed: str
    columns: Mapping[str, tuple[str, Rule]]
    events: str
    platform: str


MERGES: Mapping[tuple[str, str], Merge] = {
    ("YOUTUBE", "profiles"): Merge(
        "beat_replica.youtube_account",
        "channel_id",
        "profile_id",
        {
            "title": ("name", Rule.NEWEST),
            "custom_url": ("handle", Rule.NEWEST),
            "description": ("text", Rule.NEWEST),
            "thumbnail": ("thumbnail", Rule.NEWEST),
            "country": ("country", Rule.FILL),
            "tagged_country": ("tagged_country", Rule.FILL),
            "subscribers": ("followers", Rule.COUNTER),
            "views": ("views", Rule.COUNTER),
            "uploads": ("uploads", Rule.COUNTER),
        },
        "_e.profile_log_events",
        "YOUTUBE",
    ),
    ("INSTAGRAM", "profiles"): Merge(
        "beat_replica.instagram_account",
        "profile_id",
        "profile_id",
        {
            "handle": ("handle", Rule.NEWEST),
            "full_name": ("name", Rule.NEWEST),
            "biography": ("text", Rule.NEWEST),
            "profile_pic_url": ("thumbnail", Rule.NEWEST),
            "country": ("tagged_country", Rule.FILL),
            "is_private": ("is_private", Rule.NEWEST),
            "followers": ("followers", Rule.COUNTER),
            "following": ("following", Rule.COUNTER),
            "media_count": ("uploads", Rule.COUNTER),
        },
        "_e.profile_log_events",
        "INSTAGRAM",
    ),
    ("YOUTUBE", "posts"): Merge(
        "beat_replica.youtube_post_simple",
        "shortcode",
        "shortcode",
        {
            "channel_id": ("profile_id", Rule.AUTHOR),
            "title": ("title", Rule.NEWEST),
            "description": ("text", Rule.NEWEST),
            "thumbnail": ("thumbnail", Rule.NEWEST),
            "post_type": ("post_type", Rule.FILL),
            "audio_language": ("language", Rule.FILL),
            "views": ("views", Rule.NEWEST),
            "likes": ("likes", Rule.NEWEST),
            "comments": ("comments", Rule.NEWEST),
            "published_at": ("published_at", Rule.FILL),
        },
        "_e.post_log_events",
        "YOUTUBE",
    ),
    ("INSTAGRAM", "posts"): Merge(
        "beat_replica.instagram_post_simple",
        "shortcode",
        "shortcode",
        {
            "profile_id": ("profile_id", Rule.AUTHOR),
            "handle": ("handle", Rule.NEWEST),
            "post_id": ("media_id", Rule.FILL),
            "post_type": ("post_type", Rule.FILL),
            "content_type": ("content_type", Rule.FILL),
            "caption": ("text", Rule.NEWEST),
            "thumbnail_url": ("thumbnail", Rule.NEWEST),
            "likes": ("likes", Rule.NEWEST),
            "comments": ("comments", Rule.NEWEST),
            "saved": ("saves", Rule.NEWEST),
            "reach": ("reach", Rule.NEWEST),
            "impressions": ("impressions", Rule.NEWEST),
            "publish_time": ("published_at", Rule.FILL),
        },
        "_e.post_log_events",
        "INSTAGRAM",
    ),
}

_MOMENTS = frozenset({"published_at"})
_NUMBERS = frozenset(
    [
        "views",
        "likes",
        "comments",
        "saves",
        "reach",
        "impressions",
        "followers",
        "following",
        "uploads",
        "is_private",
        "published_at",
    ]
)


def merge_sql(
    merge: Merge,
    target: SourceTable,
    settled: str,
    destination: str,
    now: int,
    bucket: tuple[int, int] = (0, 1),
) -> str:
    """INSERT of the new and changed rows of `target` into `destination`.

    `bucket` (number, of how many) limits the statement to a share of the keys, so that the joins of a huge file
    stay in memory.
    """
    number, buckets = bucket
    share = f"cityHash64({merge.observed}) % {buckets} = {number}"
    keys = f"SELECT {merge.observed} FROM {settled} WHERE {share}"
    event_key = "profile_id" if merge.events.endswith("profile_log_events") else "shortcode"
    written = [column for column in target.columns if column.name not in {"id", "created_at", "updated_at"}]
    old = ",\n        ".join(f"t.{quote(c.name)} AS `old_{c.name}`" for c in target.columns)
    new = ",\n        ".join(f"s.{quote('new_' + name)} AS `new_{name}`" for name in merge.columns)
    merged = ",\n        ".join(f"{_merged(c, merge)} AS {quote(c.name)}" for c in written)
    changed = "\n        OR ".join(_differs(c) for c in written if c.name in merge.columns)
    first = f"least(coalesce(first_seen, {now}), {now})"
    names = [quote(c.name) for c in written]
    return f"""
INSERT INTO {destination} (id, created_at, updated_at, {", ".join(names)})
SELECT
    coalesce(old_id, toInt64(bitOr(bitAnd(cityHash64(key), 4611686018427387903), 4611686018427387904))),
    coalesce(old_created_at, toDateTime({first})),
    toDateTime(greatest({now}, coalesce(toUnixTimestamp(old_updated_at) + 1, 0))),
    {", ".join(names)}
FROM
(
    SELECT key, first_seen, old_id, old_created_at, old_updated_at,
        {", ".join(f"`old_{name}`" for name in merge.columns)},
        {merged}
    FROM
    (
        SELECT s.key AS key, s.first_seen AS first_seen, s.lower_bound AS lower_bound,
        s.counted AND (isNull(k.last) OR s.last_seen > k.last) AS newer,
        {old},
        {new}
        FROM ({_aggregated(merge, settled, share)}) AS s
        LEFT JOIN (
            SELECT * FROM {target.quoted} WHERE {quote(merge.key)} IN ({keys})
            ORDER BY {quote(merge.key)}, updated_at DESC, id LIMIT 1 BY {quote(merge.key)}
        ) AS t ON t.{quote(merge.key)} = s.key
        LEFT JOIN (
            SELECT assumeNotNull({event_key}) AS event_key, toUnixTimestamp(max(event_timestamp)) AS last
            FROM {merge.events} WHERE platform = '{merge.platform}' AND {event_key} IN ({keys})
            GROUP BY event_key
        ) AS k ON k.event_key = s.key
    )
)
WHERE isNull(old_id)
        OR {changed}"""


def _aggregated(merge: Merge, settled: str, share: str) -> str:
    """One row per key: the latest known value of each column."""
    parts = []
    for name, (observed, _) in merge.columns.items():
        if observed in _NUMBERS:
            value = f"argMaxIf({observed}, observed_at, isNotNull({observed}))"
            value = f"toDateTime({value})" if observed in _MOMENTS else value
        else:
            best = f"(position({observed}, '{BROKEN}') = 0, observed_at)"
            value = f"nullIf(argMaxIf({observed}, {best}, {observed} != ''), '')"
        parts.append(f"{value} AS `new_{name}`")
    if settled.endswith("profiles"):
        counted, bound = "origin != 'attributes'", "countIf(origin IN ('derived', 'gain')) > 0"
    else:
        counted, bound = "1", "0"
    return (
        f"SELECT {merge.observed} AS key, min(observed_at) AS first_seen, maxIf(observed_at, {counted}) AS last_seen,"
        f" countIf({counted}) > 0 AS counted, {bound} AS lower_bound, {', '.join(parts)}"
        f" FROM {settled} WHERE {share} GROUP BY key"
    )


def _merged(column: SourceColumn, merge: Merge) -> str:
    name = column.name
    if name == merge.key:
        return "key"
    old = f"`old_{name}`"
    if name not in merge.columns:
        return old if _nullable(column) else f"coalesce({old}, {_default(column)})"
    observed, rule = merge.columns[name]
    new = f"`new_{name}`"
    known = _known(column, old)
    if rule is Rule.FILL:
        value = f"coalesce({known}, {new})"
    elif rule is Rule.AUTHOR:
        derived = f"match({old}, '^(title|handle)-[0-9a-f]{{22}}$') AND NOT match({new}, '^(title|handle)-')"
        value = f"if(coalesce({derived}, 0), {new}, coalesce({known}, {new}))"
    else:
        fresh = (
            "newer" if observed in _NUMBERS else f"newer AND position(coalesce({new}, ''), '{BROKEN}') = 0"
        )
        value = f"if({fresh}, coalesce({new}, {known}), coalesce({known}, {new}))"
        if rule is Rule.COUNTER:
            value = f"if(lower_bound, greatest(coalesce({known}, {new}), coalesce({new}, {known})), {value})"
    return value if _nullable(column) else f"coalesce({value}, {_default(column)})"


def _known(column: SourceColumn, old: str) -> str:
    """The stored value, NULL when it stands for "unknown"."""
    if "String" in column.type:
        return f"nullIf({old}, '')"
    if column.type == "Int64":
        return f"nullIf({old}, 0)"
    return old


def _differs(column: SourceColumn) -> str:
    new, old = quote(column.name), f"`old_{column.name}`"
    return f"ifNull({new} != {old}, isNull({new}) != isNull({old}))"


def _nullable(column: SourceColumn) -> bool:
    return "Nullable" in column.type


def _default(column: SourceColumn) -> str:
    if "String" in column.type:
        return "''"
    return "toDateTime(0)" if column.type.startswith("DateTime") else "0"


def titles_sql(target: SourceTable, titles: str, destination: str, now: int) -> str:
    """INSERT of stored videos that have no title yet and are in `titles`, with it."""
    chosen = {
        "title": "t.found",
        "updated_at": f"toDateTime(greatest({now}, toUnixTimestamp(p.updated_at) + 1))",
    }
    values = ", ".join(chosen.get(c.name, f"p.{quote(c.name)}") for c in target.columns)
    return (
        f"INSERT INTO {destination} ({', '.join(quote(c.name) for c in target.columns)}) SELECT {values}"
        f" FROM (SELECT * FROM {target.quoted} WHERE shortcode IN (SELECT shortcode FROM {titles})"
        f" ORDER BY shortcode, updated_at DESC, id LIMIT 1 BY shortcode) AS p"
        f" INNER JOIN (SELECT shortcode, argMax(title, (position(title, '{BROKEN}') = 0, line)) AS found"
        f" FROM {titles} GROUP BY shortcode) AS t ON t.shortcode = p.shortcode WHERE coalesce(p.title, '') = ''"
    )
