"""Kinds `youtube-channels-daily` (counters of channels over time) and `youtube-weekly` (gains per week)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from stir_assets.importers.cleaning import (
    CHANNEL_ID,
    RejectError,
    channel_id,
    clean_text,
    derived_id,
    is_missing,
    parse_count,
    parse_day,
    parse_signed,
)
from stir_assets.importers.layouts import Fields, Kind, Layout, Reading, RowMapper
from stir_assets.importers.observations import Profile
from stir_assets.importers.waves import WAVE_DAYS, wave_layout

_ARCHIVED = re.compile(r"/youtube/(user|c|channel)/([^/?#]+)")


def _daily(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Profile:
        return Profile(
            channel_id(f[at["channel_id"]]),
            name=clean_text(f[at["channel_title"]], notes),
            tagged_country=reading.country,
            observed_at=parse_day(f[at["date_utc"]]),
            followers=parse_count(f[at["subscribers"]], notes),
            views=parse_count(f[at["views"]], notes),
            uploads=parse_count(f[at["videos"]], notes),
        )

    return row


def _reference(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Profile:
        country = f[at["country"]].strip().upper()
        if not country:
            notes["channel without a country"] += 1
        return Profile(
            channel_id(f[at["channel_id"]]),
            handle=f[at["custom_url"]].strip(),
            name=clean_text(f[at["channel_title"]], notes),
            country=country,
            tagged_country=reading.country,
            observed_at=parse_day(f[at["last_seen_utc"]]),
            origin="attributes",
        )

    return row


def account_id(name: str) -> str:
    """The channel id if `name` is one, else the id derived from the user name."""
    plain = name.strip()
    return plain if CHANNEL_ID.fullmatch(plain) else derived_id("handle", plain.removeprefix("@"))


def _weekly(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Profile:
        name = f[at["name"]].strip()
        start, end = parse_day(f[at["start_date"]]), parse_day(f[at["end_date"]])
        if end <= start:
            raise RejectError("bad_period", f"{f[at['start_date']]} to {f[at['end_date']]}")
        followers = parse_signed(f[at["weekly_subscribers"]], notes)
        views = parse_signed(f[at["weekly_views"]], notes)
        if (followers or 0) < 0:
            notes["week with a loss of subscribers"] += 1
        if (views or 0) < 0:
            notes["week with a correction of views"] += 1
        return Profile(
            account_id(name),
            handle="" if CHANNEL_ID.fullmatch(name) else name,
            name="" if CHANNEL_ID.fullmatch(name) else name,
            tagged_country=reading.country,
            category=clean_text(f[at["category"]], notes),
            period_start=start,
            observed_at=end,
            followers=followers,
            views=views,
            origin="gain",
        )

    return row


def _library(at: dict[str, int], reading: Reading) -> RowMapper:
    def row(f: Fields) -> Profile:
        match = _ARCHIVED.search(urlsplit(f[at["url"]]).path)
        if match is None:
            raise RejectError("bad_link", f[at["url"]])
        name = f[at["name"]].strip() or unquote(match[2])
        is_id = bool(CHANNEL_ID.fullmatch(name))
        return Profile(
            account_id(name),
            handle="" if is_id else name,
            name="" if is_id else name,
            tagged_country=reading.country,
            category=clean_text(f[at["category"]], reading.notes),
            origin="attributes",
        )

    return row


def _wave_row(handle: int, name: int, followers: int, country: int, category: int):
    def build(at: dict[str, int], reading: Reading) -> RowMapper:
        notes = reading.notes

        def row(f: Fields) -> Profile:
            shown = clean_text(f[name], notes)
            user = f[handle].strip() if not is_missing(f[handle]) else shown
            return Profile(
                account_id(user),
                handle=user,
                name=shown if not is_missing(shown) else user,
                tagged_country=reading.country,
                audience_country="" if is_missing(f[country]) else f[country].strip(),
                category="" if is_missing(f[category]) else clean_text(f[category], notes),
                observed_at=reading.observed_at,
                followers=parse_count(f[followers], notes),
            )

        return row

    return build


CHANNELS_DAILY = Kind(
    "youtube-channels-daily",
    "Subscribers, views and videos of channels per day; their reference list; waves of the 2022 top lists.",
    (
        Layout(
            "daily",
            Profile,
            ("date_utc", "channel_id", "channel_title", "subscribers", "views", "videos"),
            _daily,
        ),
        Layout(
            "reference",
            Profile,
            ("channel_id", "channel_title", "custom_url", "country", "last_seen_utc"),
            _reference,
            optional=("channel_url", "channel_published_at", "uploads_playlist_id"),
        ),
        wave_layout(
            "wave-base",
            "youtuber name|channel name|category|subscribers|subscribers|audience country|avg views|avg views"
            "|avg likes|avg likes|avg comments|avg comments",
            _wave_row(handle=0, name=1, followers=4, country=5, category=2),
            WAVE_DAYS["base"],
        ),
        wave_layout(
            "wave-06",
            "channel name|youtuber|category|category_2|subscribers count|subscribers count|country|views avg."
            "|views avg.|likes avg|likes avg|comments avg.|comments avg.",
            _wave_row(handle=0, name=1, followers=5, country=6, category=2),
            WAVE_DAYS["06"],
        ),
        wave_layout(
            "wave-09",
            "s.no|name|youtuber|country|subscribers|subscribers|category_2|avg. likes|avg. likes|avg comments"
            "|avg comments|category_3",
            _wave_row(handle=2, name=1, followers=5, country=3, category=6),
            WAVE_DAYS["09"],
        ),
        wave_layout(
            "wave-11-12",
            "s.no|youtube channel|youtuber name|category|followers|followers|country|views (avg.)|views (avg.)"
            "|likes (avg.)|likes (avg.)|comments (avg.)|comments (avg.)|category-2",
            _wave_row(handle=1, name=2, followers=5, country=6, category=3),
            None,
        ),
    ),
)

WEEKLY = Kind(
    "youtube-weekly",
    "Subscribers and views gained per week (negative: corrections), and the list of the channels.",
    (
        Layout(
            "gains",
            Profile,
            ("category", "name", "start_date", "end_date", "weekly_subscribers", "weekly_views"),
            _weekly,
        ),
        Layout("library", Profile, ("url", "name", "category"), _library),
    ),
)
