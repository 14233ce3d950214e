"""Weekly and monthly series computed in plain Python from source rows, as the model descriptions state them.

What the dbt models are compared with; knows nothing of their SQL.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

OLD_LIST_MONTH = date(2022, 12, 1)
BOARD_FIRST_MONTH = date(2022, 1, 1)
BOARD_EVENTS_FROM = date(2023, 6, 1)
Counters = tuple[int, int | None, int | None]
"""Lifetime views, followers, uploads of a channel; None where the observation does not tell."""
ChannelPoints = dict[tuple[str, date], Counters]
"""By channel and first day of the period."""


@dataclass
class Period:
    """An Instagram profile in a week or month; `followers` is None where nobody looked."""

    followers: int | None = None
    following: int = 0
    posts: int = 0
    likes: int = 0
    comments: int = 0
    views: int = 0
    plays: int = 0
    plays_total: int = 0
    plays_period_before: int = 0
    previous: date | None = None
    previous_followers: int | None = None
    followers_change: int | None = None

    def per_post(self, total: int) -> float | None:
        return total / self.posts if self.posts else None

    @property
    def engagement_rate(self) -> float | None:
        if not self.posts or not self.followers:
            return None
        return (self.likes + self.comments) / self.posts / self.followers


def rows(client: Client, query: str) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, of merged tables, in UTC."""
    yield from client.query(query, settings={"final": 1}, query_tz="UTC").named_results()


def built_at(client: Client, model: str) -> datetime:
    """When a model was built: the "now" its rows know."""
    found = client.query(
        "select toUnixTimestamp(metadata_modification_time) from system.tables "
        "where database = 'stir' and name = {n:String}",
        parameters={"n": model},
    ).result_rows
    assert found, f"{model} is not built"
    return datetime.fromtimestamp(found[0][0], UTC)


def day_of(moment: datetime | date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def week_start(moment: datetime | date) -> date:
    day = day_of(moment)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def month_start(moment: datetime | date) -> date:
    return day_of(moment).replace(day=1)


def week_before(start: date) -> date:
    return start - timedelta(days=7)


def month_before(start: date) -> date:
    return (start - timedelta(days=1)).replace(day=1)


def month_of_text(text: str) -> date | None:
    digits = re.sub(r"\D", "", text)
    if len(digits) < 6 or not digits.startswith(("19", "20")) or not 1 <= int(digits[4:6]) <= 12:
        return None
    return date(int(digits[:4]), int(digits[4:6]), 1)


def whole_number(text: object) -> int | None:
    return int(str(text)) if re.fullmatch(r"[+-]?\d+", str(text)) else None


def metric(metrics: str, key: str) -> int | None:
    try:
        value = json.loads(metrics).get(key)
    except (ValueError, AttributeError):
        return None
    return None if value is None else int(value)


def instagram_followers(
    client: Client, now: datetime, start_of: Callable[[datetime | date], date]
) -> dict[tuple[str, date], tuple[int, int]]:
    """(profile, period) -> (followers, following): events before page statistics before the older list."""
    found: dict[tuple[str, date], tuple[int, int]] = {}
    for row in rows(client, "select profile_id, followers from dbt.stg_vidooly_instagram_profiles"):
        value = whole_number(row["followers"])
        if value is not None and now.date() >= OLD_LIST_MONTH:
            key = (str(row["profile_id"]), start_of(OLD_LIST_MONTH))
            found[key] = max(found.get(key, (value, 0)), (value, 0))
    page_stats: dict[tuple[str, date], tuple[int, int]] = {}
    for row in rows(
        client, "select page_id, month, prev_followers, followers from vidooly.instagram_page_stats"
    ):
        month = month_of_text(row["month"])
        before, change = whole_number(row["prev_followers"]), whole_number(row["followers"])
        if month is None or before is None or change is None or month > now.date():
            continue
        key = (row["page_id"], start_of(month))
        page_stats[key] = max(page_stats.get(key, (before + change, 0)), (before + change, 0))
    found |= page_stats
    newest: dict[tuple[str, date], tuple[datetime, datetime]] = {}
    query = (
        "select profile_id, metrics, toDateTime(event_timestamp, 'UTC') as event_at, "
        "toDateTime(insert_timestamp, 'UTC') as inserted_at from _e.profile_log_events "
        "where platform = 'INSTAGRAM' and profile_id != ''"
    )
    for row in rows(client, query):
        followers = metric(row["metrics"], "followers")
        at = _utc(row["event_at"])
        if followers is None or at > now:
            continue
        key, order = (row["profile_id"], start_of(at)), (at, _utc(row["inserted_at"]))
        if key not in newest or order >= newest[key]:
            newest[key] = order
            found[key] = (followers, metric(row["metrics"], "following") or 0)
    return found


def instagram_periods(
    client: Client,
    now: datetime,
    start_of: Callable[[datetime | date], date],
    before: Callable[[date], date],
) -> dict[tuple[str, date], Period]:
    """Every (profile, period) with a follower observation."""
    periods: dict[tuple[str, date], Period] = defaultdict(Period)
    for key, (followers, following) in instagram_followers(client, now, start_of).items():
        periods[key].followers, periods[key].following = followers, following
    query = (
        "select profile_id, toDateTime(publish_time, 'UTC') as published_at, likes, comments, views, plays "
        "from stir.mart_instagram_all_posts_with_ranks"
    )
    for row in rows(client, query):
        published = _utc(row["published_at"])
        if published > now:
            continue
        period = periods[row["profile_id"], start_of(published)]
        period.posts += 1
        period.likes += row["likes"]
        period.comments += row["comments"]
        period.views += row["views"]
        period.plays += row["plays"]
    _walk_history(periods, before)
    return {key: period for key, period in periods.items() if period.followers is not None}


def _walk_history(periods: dict[tuple[str, date], Period], before: Callable[[date], date]) -> None:
    """Fills what depends on earlier periods of the same profile."""
    last_profile, total, seen = "", 0, None
    plays_by_start: dict[date, int] = {}
    for (profile, start), period in sorted(periods.items(), key=lambda item: item[0]):
        if profile != last_profile:
            last_profile, total, seen, plays_by_start = profile, 0, None, {}
        total += period.plays
        period.plays_total = total
        period.plays_period_before = plays_by_start.get(before(start), 0)
        plays_by_start[start] = period.plays
        if period.followers is None:
            continue
        if seen is not None:
            period.previous, period.previous_followers = seen
            if period.previous == before(start):
                period.followers_change = period.followers - seen[1]
        seen = (start, period.followers)


def channel_events(client: Client, now: datetime) -> Iterator[tuple[str, datetime, datetime, Counters]]:
    """Observations of channels in the event stream, unordered; only the views must be told."""
    query = (
        "select handle, metrics, toDateTime(event_timestamp, 'UTC') as event_at, "
        "toDateTime(insert_timestamp, 'UTC') as inserted_at from _e.profile_log_events "
        "where platform = 'YOUTUBE' and handle != ''"
    )
    for row in rows(client, query):
        counters = [metric(row["metrics"], key) for key in ("view_count", "subscriber_count", "video_count")]
        if _utc(row["event_at"]) <= now and counters[0] is not None:
            yield row["handle"], _utc(row["event_at"]), _utc(row["inserted_at"]), _counters(counters)


def channel_dump(client: Client, table: str, now: datetime) -> ChannelPoints:
    """(channel, month) -> counters of a frozen dump."""
    found: ChannelPoints = {}
    query = f"select id, month, lifetime_views, lifetime_subscribers, lifetime_uploads from vidooly.{table}"
    for row in rows(client, query):
        month = month_of_text(row["month"])
        numbers = [whole_number(row[f"lifetime_{name}"]) for name in ("views", "subscribers", "uploads")]
        if month is None or month > now.date() or None in numbers or not row["id"]:
            continue
        key = (row["id"], month)
        if key not in found or found[key][0] < _counters(numbers)[0]:
            found[key] = _counters(numbers)
    return found


def youtube_months(client: Client, now: datetime) -> ChannelPoints:
    """(channel, month) -> lifetime counters: newer dump, older dump, newest event of the month."""
    newest: dict[tuple[str, date], tuple[bool, datetime, datetime]] = {}
    found: ChannelPoints = {}
    for channel, at, inserted, counters in channel_events(client, now):
        key, order = (channel, month_start(at)), (None not in counters, at, inserted)
        if at.date() >= BOARD_EVENTS_FROM and (key not in newest or order >= newest[key]):
            newest[key], found[key] = order, counters
    found |= channel_dump(client, "channels_monthly_stats_20230219", now)
    found |= channel_dump(client, "channels_monthly_stats_20230709", now)
    return {key: counters for key, counters in found.items() if key[1] >= BOARD_FIRST_MONTH}


def youtube_weeks(client: Client, now: datetime) -> tuple[ChannelPoints, ChannelPoints]:
    """Weekly points, and the monthly points of the dump from before the first week of each channel."""
    snapshots: dict[tuple[str, date], tuple[date, Counters]] = {}
    query = (
        "select id, snapshot_date, view_count, subscriber_count, video_count "
        "from vidooly.youtube_channels where id != ''"
    )
    for row in rows(client, query):
        numbers = [whole_number(row[name]) for name in ("view_count", "subscriber_count", "video_count")]
        if None in numbers or row["snapshot_date"] > now.date():
            continue
        key, value = (row["id"], week_start(row["snapshot_date"])), (row["snapshot_date"], _counters(numbers))
        if key not in snapshots or value[0] < snapshots[key][0]:
            snapshots[key] = value
    weeks = {key: counters for key, (_, counters) in snapshots.items()}
    first: dict[tuple[str, date], tuple[bool, datetime, datetime]] = {}
    events: ChannelPoints = {}
    for channel, at, inserted, counters in channel_events(client, now):
        key, order = (channel, week_start(at)), (None in counters, at, inserted)
        if key not in first or order < first[key]:
            first[key], events[key] = order, counters
    weeks |= {key: counters for key, counters in events.items() if None not in counters or key not in weeks}
    first_week: dict[str, date] = {}
    for channel, start in weeks:
        first_week[channel] = min(first_week.get(channel, start), start)
    dump = channel_dump(client, "channels_monthly_stats_20230219", now)
    early = {key: value for key, value in dump.items() if key[1] < first_week.get(key[0], date.max)}
    return weeks, early


def with_previous(
    points: ChannelPoints, before: Callable[[date], date]
) -> Iterable[tuple[str, date, Counters, date | None, Counters | None, bool]]:
    """(channel, start, counters, start of the row before, its counters, whether it is the period right before)."""
    last: tuple[str, date, Counters] | None = None
    for (channel, start), counters in sorted(points.items(), key=lambda point: point[0]):
        if last is not None and last[0] == channel:
            yield channel, start, counters, last[1], last[2], last[1] == before(start)
        else:
            yield channel, start, counters, None, None, False
        last = (channel, start, counters)


def gain(now: int | None, then: int | None) -> int | None:
    """What a lifetime counter gained; unknown where one end is."""
    return None if now is None or then is None else now - then


def _counters(numbers: list[int | None]) -> Counters:
    views, followers, uploads = numbers
    assert views is not None
    return views, followers, uploads


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
