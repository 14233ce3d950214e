"""Kind `youtube-channel-videos`: the uploads of channels with their counters at the moment of a snapshot."""

from __future__ import annotations

import re

from stir_assets.importers.cleaning import (
    RejectError,
    category_number,
    channel_id,
    clean_text,
    derived_id,
    parse_count,
    parse_moment,
    video_id,
)
from stir_assets.importers.layouts import Fields, Kind, Layout, Reading, RowMapper
from stir_assets.importers.observations import Post

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def duration_seconds(text: str) -> int | None:
    """ISO 8601 duration in seconds; None when unknown or 0 (`P0D`: a live stream that has not ended).

    Raises `RejectError("bad_duration")`.
    """
    plain = text.strip()
    match = _DURATION.fullmatch(plain)
    if not plain:
        return None
    if match is None:
        raise RejectError("bad_duration", text)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (days * 86_400 + hours * 3600 + minutes * 60 + seconds) or None


def _snapshot(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        moment = parse_moment(f[at["snapshot_utc"]])
        if moment is None:
            raise RejectError("bad_date", f[at["snapshot_utc"]])
        if duration_seconds(f[at["duration_iso8601"]]) is None:
            notes["live or without a length"] += 1
        likes, comments = parse_count(f[at["like_count"]], notes), parse_count(f[at["comment_count"]], notes)
        if likes is None:
            notes["likes hidden: unknown"] += 1
        if comments is None:
            notes["comments hidden: unknown"] += 1
        return Post(
            video_id(f[at["video_id"]]),
            channel_id(f[at["channel_id"]]),
            author=clean_text(f[at["channel_title"]], notes),
            title=clean_text(f[at["title"]], notes),
            category_id=category_number(f[at["category_id"]]),
            country=reading.country,
            published_at=parse_moment(f[at["published_at"]]),
            observed_at=moment,
            views=parse_count(f[at["view_count"]], notes),
            likes=likes,
            comments=comments,
        )

    return row


def _news(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        author = clean_text(f[at["channel_title"]], notes)
        return Post(
            video_id(f[at["video_id"]]),
            derived_id("title", author),
            author=author,
            title=clean_text(f[at["title"]], notes),
            thumbnail=f[at["thumbnail_url"]].strip(),
            language=f[at["original_lang"]].strip() if "original_lang" in at else "",
            country=reading.country,
            published_at=parse_moment(f[at["published_at"]]),
            observed_at=reading.observed_at,
            views=parse_count(f[at["views"]], notes),
            likes=parse_count(f[at["likes"]], notes),
            comments=parse_count(f[at["comment_count"]], notes),
        )

    return row


KIND = Kind(
    "youtube-channel-videos",
    "Videos of channels with their counters at a snapshot.",
    (
        Layout(
            "snapshot",
            Post,
            tuple(
                [
                    "snapshot_utc",
                    "channel_id",
                    "channel_title",
                    "video_id",
                    "published_at",
                    "title",
                    "duration_iso8601",
                    "category_id",
                    "view_count",
                    "like_count",
                    "comment_count",
                ]
            ),
            _snapshot,
            optional=("snapshot_month",),
        ),
        Layout(
            "by-title",
            Post,
            (
                "video_id",
                "title",
                "published_at",
                "channel_title",
                "thumbnail_url",
                "views",
                "comment_count",
                "likes",
            ),
            _news,
            optional=("source_file", "auto_transcript", "original_lang"),
        ),
    ),
)
