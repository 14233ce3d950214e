"""What every layout is turned into: observations of posts, of profiles, and titles of videos.

A field that the file does not give is "" (text) or None (numbers, moments); moments are seconds since 1970 UTC.
The tuples are the rows of the staging tables, in this column order.
"""

from __future__ import annotations

from typing import NamedTuple, get_type_hints


class Post(NamedTuple):
    """One post at one moment: its attributes and its counters then."""

    shortcode: str
    profile_id: str
    handle: str = ""
    author: str = ""
    title: str = ""
    text: str = ""
    thumbnail: str = ""
    post_type: str = ""
    content_type: str = ""
    media_id: str = ""
    category_id: int | None = None
    country: str = ""
    language: str = ""
    tags: str = ""
    location: str = ""
    published_at: int | None = None
    observed_at: int | None = None
    views: int | None = None
    likes: int | None = None
    dislikes: int | None = None
    comments: int | None = None
    saves: int | None = None
    reach: int | None = None
    impressions: int | None = None
    followers: int | None = None


class Profile(NamedTuple):
    """One profile at one moment.

    `origin` says what the counters are: `measured` (read from the platform), `gain` (change since
    `period_start`), `derived` (a lower bound worked out from posts) or `attributes` (no counters at all).
    """

    profile_id: str
    handle: str = ""
    name: str = ""
    text: str = ""
    thumbnail: str = ""
    website: str = ""
    country: str = ""
    tagged_country: str = ""
    audience_country: str = ""
    category: str = ""
    is_private: int | None = None
    period_start: int | None = None
    observed_at: int | None = None
    followers: int | None = None
    following: int | None = None
    views: int | None = None
    uploads: int | None = None
    origin: str = "measured"


class Title(NamedTuple):
    """The title of a video, for lists that come without text."""

    shortcode: str
    title: str
    category_id: int | None = None


Observation = Post | Profile | Title


def columns_of(kind: type[Post] | type[Profile] | type[Title]) -> dict[str, str]:
    """Column name -> ClickHouse type of the staging table of `kind`: text, or whole numbers that may be unknown."""
    types = get_type_hints(kind)
    return {name: "String" if types[name] is str else "Nullable(Int64)" for name in kind._fields}
