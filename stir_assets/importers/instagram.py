"""Kinds `instagram-profiles` and `instagram-posts`."""

from __future__ import annotations

import re

from stir_assets.importers.cleaning import (
    SHORTCODE,
    Notes,
    RejectError,
    clean_text,
    derived_id,
    instagram_link,
    is_missing,
    parse_count,
    parse_flag,
    parse_moment,
)
from stir_assets.importers.layouts import Fields, Kind, Layout, Reading, RowMapper
from stir_assets.importers.observations import Post, Profile
from stir_assets.importers.waves import WAVE_DAYS, noon, wave_layout

FOLLOWING_LIMIT = 7_500
"""The platform lets nobody follow more: a bigger number is damage and counts as unknown."""

_HANDLE = re.compile(r"[A-Za-z0-9._]{1,30}")
_POST_TYPES = {"VIDEO": "reels", "REELS": "reels", "IMAGE": "image", "CAROUSEL_ALBUM": "carousel"}


def handle_of(text: str) -> str:
    """A user name: without a leading @, in lower case. Raises `RejectError("bad_handle")`."""
    plain = text.strip().removeprefix("@")
    if not _HANDLE.fullmatch(plain):
        raise RejectError("bad_handle", text)
    return plain.lower()


def following_of(text: str, notes: Notes) -> int | None:
    """Accounts followed; above the platform's limit it is unknown, and noted."""
    count = parse_count(text, notes)
    if count is not None and count > FOLLOWING_LIMIT:
        notes["following above 7,500, taken as unknown"] += 1
        return None
    return count


def _gvsi_profile(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Profile:
        handle = handle_of(f[at["alias"]])
        return Profile(
            derived_id("handle", handle),
            handle=handle,
            name=clean_text(f[at["display_name"]], notes),
            text=clean_text(f[at["bio"]], notes),
            website=f[at["website"]].strip(),
            tagged_country=reading.country,
            is_private=_flag_number(f[at["is_private"]]),
            observed_at=reading.observed_at,
            followers=parse_count(f[at["followers"]], notes),
            following=following_of(f[at["following"]], notes),
            uploads=parse_count(f[at["number_posts"]], notes),
        )

    return row


def _flag_number(text: str) -> int | None:
    flag = parse_flag(text)
    return None if flag is None else int(flag)


def _kim(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Profile:
        handle = handle_of(f[at["username"]])
        category = f[at["category"]].strip().lower()
        return Profile(
            derived_id("handle", handle),
            handle=handle,
            tagged_country=reading.country,
            category="fashion" if category in {"fasion", "fashion 0.5"} else category,
            observed_at=reading.observed_at,
            followers=parse_count(f[at["num_followers"]], notes),
            following=following_of(f[at["num_followees"]], notes),
            uploads=parse_count(f[at["num_posts"]], notes),
        )

    return row


def _wave_row(handle: int, name: int, followers: int, country: int, category: int):
    def build(at: dict[str, int], reading: Reading) -> RowMapper:
        notes = reading.notes

        def row(f: Fields) -> Profile:
            user = handle_of(f[handle])
            shown = clean_text(f[name], notes)
            return Profile(
                derived_id("handle", user),
                handle=user,
                name="" if is_missing(shown) else shown,
                tagged_country=reading.country,
                audience_country="" if is_missing(f[country]) else f[country].strip(),
                category="" if is_missing(f[category]) else clean_text(f[category], notes),
                observed_at=reading.observed_at,
                followers=parse_count(f[followers], notes),
            )

        return row

    return build


def _gvsi_post(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        handle, shortcode = handle_of(f[at["owner"]]), f[at["shortcode"]].strip()
        if not SHORTCODE.fullmatch(shortcode):
            raise RejectError("bad_shortcode", shortcode)
        carousel, video = parse_flag(f[at["is_carousel"]]), parse_flag(f[at["is_video"]])
        return Post(
            shortcode,
            derived_id("handle", handle),
            handle=handle,
            text=clean_text(f[at["caption"]], notes),
            post_type="carousel" if carousel else "reels" if video else "image",
            content_type="CAROUSEL_ALBUM" if carousel else "VIDEO" if video else "IMAGE",
            tags=f[at["tags"]].strip(),
            location=clean_text(f[at["location"]], notes),
            country=reading.country,
            published_at=_published(f[at["date"]], notes),
            observed_at=reading.observed_at,
            likes=parse_count(f[at["likes"]], notes),
        )

    return row


def _published(text: str, notes: Notes) -> int | None:
    moment = parse_moment(text)
    if moment is None:
        notes["no publish time (empty or 1970)"] += 1
    return moment


def _fanpage(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        form, shortcode = instagram_link(f[at["link"]])
        profile_id = f[at["profile-id"]].strip()
        if not profile_id.isdecimal():
            raise RejectError("bad_profile_id", profile_id)
        network = f[at["network"]].strip()
        if network.upper() != "INSTAGRAM":
            raise RejectError("other_network", network)
        return Post(
            shortcode,
            profile_id,
            handle=handle_of(f[at["source_file"]].rpartition(".")[0] or f[at["source_file"]]),
            author=clean_text(f[at["profile"]], notes),
            text=clean_text(f[at["message"]], notes),
            post_type="image" if form == "p" else "reels",
            content_type="" if form == "p" else "VIDEO",
            country=reading.country,
            published_at=_published(f[at["date"]], notes),
            observed_at=reading.observed_at,
            likes=parse_count(f[at["likes per post"]], notes),
            comments=parse_count(f[at["comments per post"]], notes),
        )

    return row


def _graph_api(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        handle = handle_of(f[at["username"]])
        _, shortcode = instagram_link(f[at["permalink"]])
        media = f[at["media_type"]].strip().upper()
        if media not in _POST_TYPES:
            raise RejectError("bad_media_type", media)
        return Post(
            shortcode,
            derived_id("handle", handle),
            handle=handle,
            text=clean_text(f[at["caption"]], notes),
            post_type=_POST_TYPES[media],
            content_type=media,
            media_id=f[at["id"]].strip(),
            country=reading.country,
            published_at=_published(f[at["timestamp"]], notes),
            observed_at=reading.observed_at,
            likes=parse_count(f[at["like_count"]], notes),
            comments=parse_count(f[at["comments_count"]], notes),
            saves=parse_count(f[at["saved"]], notes),
            reach=parse_count(f[at["reach"]], notes),
            impressions=parse_count(f[at["impressions"]], notes),
            followers=parse_count(f[at["followers"]], notes),
        )

    return row


def _scraped_posts(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes

    def row(f: Fields) -> Post:
        handle = handle_of(f[at["username"]])
        form, shortcode = instagram_link(f[at["url"]])
        day, time = f[at["date"]].strip(), f[at["time"]].strip()
        if not day:
            raise RejectError("no_post_row", "comments were scraped, the post itself was not")
        return Post(
            shortcode,
            derived_id("handle", handle),
            handle=handle,
            text=clean_text(f[at["caption"]], notes),
            post_type="image" if form == "p" else "reels",
            country=reading.country,
            published_at=_published(f"{day} {time}".strip(), notes),
            observed_at=reading.observed_at,
            likes=parse_count(f[at["likes"]], notes),
        )

    return row


PROFILES = Kind(
    "instagram-profiles",
    "Instagram profiles with their counters: profile dumps, the 33k list, waves of the 2022 top lists.",
    (
        Layout(
            "gvsi",
            Profile,
            tuple(
                [
                    "alias",
                    "display_name",
                    "bio",
                    "website",
                    "number_posts",
                    "followers",
                    "following",
                    "is_private",
                ]
            ),
            _gvsi_profile,
            optional=("posts_collected",),
            observed=noon(2017, 5, 2),
            platform="INSTAGRAM",
        ),
        Layout(
            "list-33k",
            Profile,
            ("username", "category", "num_followers", "num_followees", "num_posts"),
            _kim,
            observed=noon(2019, 12, 31),
            platform="INSTAGRAM",
        ),
        wave_layout(
            "wave-base",
            "influencer insta name|instagram name|category_1|category_2|followers|followers numbers"
            "|audience country(mostly)|authentic engagement|authentic engagement values|engagement avg"
            "|engagement avg values",
            _wave_row(handle=0, name=1, followers=5, country=6, category=2),
            WAVE_DAYS["base"],
            "INSTAGRAM",
        ),
        wave_layout(
            "wave-06",
            "instagram name|influencer name|category_1|category_2|subscribers count|subscribers count|views avg."
            "|likes avg|likes avg|comments avg.|comments avg.",
            _wave_row(handle=0, name=1, followers=5, country=6, category=2),
            WAVE_DAYS["06"],
            "INSTAGRAM",
        ),
        wave_layout(
            "wave-09",
            "s.no|instagram name|name|subscribers|subscribers|audience country|authentic engagement"
            "|authentic engagement values|engagement average|engagement average values|category_1|category_2",
            _wave_row(handle=1, name=2, followers=4, country=5, category=10),
            WAVE_DAYS["09"],
            "INSTAGRAM",
        ),
        wave_layout(
            "wave-11",
            "s.no|name|instagram name|category-1|followers|followers|country|eng. (auth.)|eng. (auth.)"
            "|eng. (avg.)|eng. (avg.)|category-2",
            _wave_row(handle=1, name=2, followers=5, country=6, category=3),
            WAVE_DAYS["11"],
            "INSTAGRAM",
        ),
        wave_layout(
            "wave-12",
            "rank|name|instagram name|category_1|category_2|followers|followers|country|eng. (auth.)"
            "|eng. (auth.)|eng. (avg.)|eng. (avg.)",
            _wave_row(handle=1, name=2, followers=6, country=7, category=3),
            WAVE_DAYS["12"],
            "INSTAGRAM",
        ),
    ),
)

POSTS = Kind(
    "instagram-posts",
    "Instagram posts with likes, comments and captions: scraped, fan-page exports, Graph API exports.",
    (
        Layout(
            "gvsi",
            Post,
            tuple(
                [
                    "owner",
                    "shortcode",
                    "date",
                    "is_video",
                    "is_carousel",
                    "likes",
                    "location",
                    "tags",
                    "caption",
                ]
            ),
            _gvsi_post,
            optional=("url", "mentions"),
            platform="INSTAGRAM",
        ),
        Layout(
            "fan-page-export",
            Post,
            (
                "source_file",
                "date",
                "message",
                "profile",
                "network",
                "likes per post",
                "comments per post",
                "profile-id",
                "link",
            ),
            _fanpage,
            optional=("reactions, comments & shares", "message-id"),
            platform="INSTAGRAM",
        ),
        Layout(
            "graph-api",
            Post,
            tuple(
                [
                    "id",
                    "caption",
                    "like_count",
                    "comments_count",
                    "media_type",
                    "timestamp",
                    "permalink",
                    "username",
                    "reach",
                    "impressions",
                    "saved",
                    "followers",
                ]
            ),
            _graph_api,
            platform="INSTAGRAM",
        ),
        Layout(
            "scraped",
            Post,
            ("username", "url", "date", "time", "likes", "caption"),
            _scraped_posts,
            optional=("comments_scraped",),
            platform="INSTAGRAM",
        ),
    ),
)
