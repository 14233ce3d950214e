"""Kind `youtube-trending`: the public lists of trending videos, one row per video, day (and country).

Layouts: `v1` (channel by title only, day as YY.DD.MM), `v2` (with channel id, ISO or YY.DD.MM day, with or
without a header line), `titles` (text for lists that came without), `daily-json` (a list per category and region,
with the moment of fetching).
"""

from __future__ import annotations

from stir_assets.importers.cleaning import (
    CHANNEL_ID,
    VIDEO_ID,
    RejectError,
    category_number,
    channel_id,
    clean_tags,
    clean_text,
    derived_id,
    parse_count,
    parse_day,
    parse_flag,
    parse_moment,
    video_id,
)
from stir_assets.importers.layouts import Fields, Kind, Layout, Reading, RowMapper
from stir_assets.importers.observations import Post, Title

DISLIKES_HIDDEN_SINCE = 1_639_353_600
"""2021-12-13: since then the platform gives no dislikes and lists write 0, which means unknown."""

_FLAGS = ("comments_disabled", "ratings_disabled", "video_error_or_removed")
_V2 = (
    "video_id title publishedat channelid channeltitle categoryid trending_date tags view_count likes dislikes "
    "comment_count thumbnail_link comments_disabled ratings_disabled description"
)


def _trending(names: dict[str, str]) -> Layout:
    """v1 and v2 differ in the names of their columns only."""

    def build(at: dict[str, int], reading: Reading) -> RowMapper:
        def optional(name: str) -> int:
            return at.get(names.get(name, name), -1)

        notes, country = reading.notes, reading.country
        i_id, i_day, i_views = at["video_id"], at["trending_date"], at[names["views"]]
        i_author, i_category, i_published = at[names["author"]], at[names["category"]], at[names["published"]]
        i_likes, i_dislikes, i_comments = at["likes"], at["dislikes"], at["comment_count"]
        i_channel, i_title, i_tags = optional("channel"), optional("title"), optional("tags")
        i_text, i_thumbnail = optional("description"), optional("thumbnail_link")
        i_no_comments, i_no_ratings = optional("comments_disabled"), optional("ratings_disabled")

        def row(f: Fields) -> Post:
            shortcode, day = video_id(f[i_id]), parse_day(f[i_day])
            author = clean_text(f[i_author], notes)
            no_ratings = i_no_ratings >= 0 and parse_flag(f[i_no_ratings])
            no_comments = i_no_comments >= 0 and parse_flag(f[i_no_comments])
            views = parse_count(f[i_views], notes)
            likes, dislikes = parse_count(f[i_likes], notes), parse_count(f[i_dislikes], notes)
            comments = parse_count(f[i_comments], notes)
            if no_ratings:
                notes["ratings disabled: likes unknown"] += 1
                likes = dislikes = None
            if no_comments:
                notes["comments disabled: comments unknown"] += 1
                comments = None
            if day >= DISLIKES_HIDDEN_SINCE:
                dislikes = None
            return Post(
                shortcode,
                channel_id(f[i_channel]) if i_channel >= 0 else derived_id("title", author),
                author=author,
                title=clean_text(f[i_title], notes) if i_title >= 0 else "",
                text=clean_text(f[i_text], notes) if i_text >= 0 else "",
                thumbnail=f[i_thumbnail].strip() if i_thumbnail >= 0 else "",
                tags=clean_tags(f[i_tags]) if i_tags >= 0 else "",
                category_id=category_number(f[i_category]),
                country=country,
                published_at=parse_moment(f[i_published]),
                observed_at=day,
                views=views,
                likes=likes,
                dislikes=dislikes,
                comments=comments,
            )

        return row

    required = ("video_id", "trending_date", names["author"], names["category"], names["published"])
    required += (names["views"], "likes", "dislikes", "comment_count")
    optional_names = ("title", "tags", "thumbnail_link", "description", *_FLAGS)
    if "channel" in names:
        return Layout(
            "v2",
            Post,
            (*required, names["channel"]),
            build,
            optional=optional_names,
            looks_like_data=_looks_like_v2,
            headerless_columns=tuple(_V2.split()),
        )
    return Layout("v1", Post, required, build, optional=optional_names)


def _looks_like_v2(first: Fields) -> bool:
    return len(first) == 16 and bool(VIDEO_ID.fullmatch(first[0])) and bool(CHANNEL_ID.fullmatch(first[3]))


def _titles(at: dict[str, int], reading: Reading) -> RowMapper:
    i_id, i_title, i_category, notes = at["video_id"], at["title"], at["category_id"], reading.notes

    def row(f: Fields) -> Title:
        title = clean_text(f[i_title], notes)
        if not title:
            raise RejectError("no_title")
        return Title(video_id(f[i_id]), title, category_number(f[i_category]))

    return row


def _daily_json(at: dict[str, int], reading: Reading) -> RowMapper:
    notes = reading.notes
    i = at
    i_author, i_region = at["channel_name"], at["region"]

    def row(f: Fields) -> Post:
        moment = parse_moment(f[i["fetched_at"]])
        if moment is None:
            raise RejectError("bad_date", f[i["fetched_at"]])
        country = f[i_region].strip().upper() or reading.country
        if not country:
            notes["row without a region: country unknown"] += 1
        return Post(
            video_id(f[i["video_id"]]),
            channel_id(f[i["channel_id"]]),
            author=clean_text(f[i_author], notes),
            title=clean_text(f[i["title"]], notes),
            country=country,
            published_at=parse_moment(f[i["published_at"]]),
            observed_at=moment,
            views=parse_count(f[i["view_count"]], notes),
            likes=parse_count(f[i["like_count"]], notes),
            comments=parse_count(f[i["comment_count"]], notes),
        )

    return row


TITLES = Layout(
    "titles",
    Title,
    ("video_id", "trending_date", "title", "category_id", "views"),
    _titles,
    optional=("likes", "dislikes", "comment_count"),
)

KIND = Kind(
    "youtube-trending",
    "Lists of trending videos per country and day; --titles adds text to lists without.",
    (
        _trending(
            {
                "author": "channel_title",
                "category": "category_id",
                "published": "publish_time",
                "views": "views",
            }
        ),
        _trending(
            {
                "author": "channeltitle",
                "category": "categoryid",
                "published": "publishedat",
                "views": "view_count",
                "channel": "channelid",
            }
        ),
        TITLES,
        Layout(
            "daily-json",
            Post,
            tuple(
                [
                    "region",
                    "fetched_at",
                    "cat_key",
                    "video_id",
                    "title",
                    "channel_name",
                    "channel_id",
                    "view_count",
                    "like_count",
                    "comment_count",
                    "published_at",
                ]
            ),
            _daily_json,
            optional=("file", "date", "today_views"),
        ),
    ),
)
