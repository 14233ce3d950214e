"""mart_youtube_account and the peer groups of YouTube, computed a second time in plain Python."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import yaml
from clickhouse_connect.driver.client import Client

from stir_assets.settings import DBT_PROJECT_DIR
from stir_assets_tests.integration.dbt import accounts_by_hand as by_hand
from stir_assets_tests.integration.dbt.comparing_rows import assert_same_rows
from stir_assets_tests.integration.dbt.series_by_hand import rows

Row = dict[str, Any]
GRADED = [
    "avg_likes",
    "avg_comments",
    "comments_rate",
    "followers",
    "engagement_rate",
    "likes_to_comment_ratio",
    "followers_growth7d",
    "followers_growth30d",
    "uploads_30d",
    "views_30d",
    "followers_growth90d",
    "followers_growth1y",
    "audience_reachability",
    "audience_authencity",
    "audience_quality",
    "post_count",
    "likes_spread",
    "avg_posts_per_week",
    "shorts_reach",
    "video_reach",
]
GROUPED = [*GRADED, "reels_reach", "image_reach", "story_reach", "reels_impressions", "image_impressions"]
RECENT = 12


def test_every_channel_of_mart_youtube_account_is_what_its_inputs_say(warehouse: Client) -> None:
    channels = channels_by_hand(warehouse)
    peers = by_hand.peer_statistics(channels, GROUPED, keep_small_secondary=True)
    for row in channels:
        is_known = row["primary_group"] in peers
        row["group_key"] = row["primary_group"] if is_known else row["secondary_group"]
        own_peers = peers[row["group_key"]]
        for metric in GRADED:
            row[f"{metric}_grade"] = by_hand.grade(row[metric], own_peers, metric)
            row[f"{metric}_score"] = None if row[metric] is None else float(row[metric])
            row[f"group_avg_{metric}"] = own_peers[f"group_avg_{metric}"]
        row.update(quality(row))
    by_hand.rank(channels, "country_rank", lambda row: row["country"])
    by_hand.rank(channels, "category_rank", lambda row: (row["country"], row["category"]))
    model = {(row["channelid"],): row for row in rows(warehouse, "select * from stir.mart_youtube_account")}
    assert_same_rows(model, {(row["channelid"],): row for row in channels})


def test_youtube_peer_groups_are_what_the_channels_say(warehouse: Client) -> None:
    peers = by_hand.peer_statistics(channels_by_hand(warehouse), GROUPED, keep_small_secondary=True)
    query = "select * from stir.mart_primary_group_metrics where group_key like 'YT%'"
    model = {(row["group_key"],): row for row in rows(warehouse, query)}
    assert_same_rows(model, {(key,): row for key, row in peers.items()})


def test_both_marts_give_a_channel_the_same_quality(warehouse: Client) -> None:
    """mart_audience_info_follower grades channels by itself, because it is upstream of the account mart."""
    query = (
        "select channel_id, channel_quality_score as audience_quality_score, "
        "channel_quality_grade as audience_quality_grade from stir.mart_youtube_account where country = 'IN'"
    )
    accounts = {(row["channel_id"],): row for row in rows(warehouse, query)}
    query = (
        "select platform_id, audience_quality_score, audience_quality_grade "
        "from stir.mart_audience_info_follower where platform = 'YOUTUBE'"
    )
    audiences = {(row.pop("platform_id"),): row for row in (dict(row) for row in rows(warehouse, query))}
    assert_same_rows(accounts, audiences)


def quality(row: Row) -> Row:
    ratings = {
        metric: 1 + by_hand.GRADES.index(row[f"{metric}_grade"]) if row[f"{metric}_grade"] else 0
        for metric in ("followers_growth30d", "views_30d", "uploads_30d")
    }
    weighted = (
        0.5 * ratings["views_30d"] + 0.25 * ratings["followers_growth30d"] + 0.25 * ratings["uploads_30d"]
    )
    return {
        **{f"{metric}_rating": rating for metric, rating in ratings.items()},
        "channel_quality_score": 19 * weighted,
        "channel_quality_grade": by_hand.GRADES[max(math.floor(weighted + 0.5), 1) - 1],
    }


def channels_by_hand(client: Client) -> list[Row]:
    """Every column but grades, ranks, quality and group_key."""
    facts = Facts(client)
    return [facts.channel(channel) for channel in sorted(facts.feeds)]


class Facts:
    """What the inputs say about channels, by channel id."""

    def __init__(self, client: Client) -> None:
        self.phone_key = by_hand.phone_key(client)
        self.mapped = yaml.safe_load((DBT_PROJECT_DIR / "dbt_project.yml").read_text())["vars"][
            "youtube_categories"
        ]
        self.feeds = feeds(client)
        self.categories = names(client, "vidooly.category")
        self.platform_categories = names(client, "vidooly.youtube_category")
        self.listed = listed_channels(client)
        self.manual = keyed(client, "mart_manual_data_yt", "channel_id")
        self.spoken = keyed(client, "mart_youtube_account_language", "channel_id")
        self.linked = keyed(client, "mart_linked_socials", "channel_id")
        self.grown = keyed(client, "mart_yt_growth", "channelid")
        self.videos = videos(client)
        self.watched = watched_channels(client)

    def channel(self, channel: str) -> Row:
        row = {**self.identity(channel), **self.size(channel)}
        row.update(recent_videos(self.videos.get(channel, []), row["followers"]))
        row["primary_group"] = by_hand.group("YT", row["country"], row["category"], row["follower_group"])
        row["secondary_group"] = by_hand.group("YT", row["country"], row["follower_group"])
        row.update(
            dict.fromkeys(
                (
                    "followers_growth90d",
                    "audience_reachability",
                    "audience_authencity",
                    "audience_quality",
                    "reels_reach",
                    "image_reach",
                    "story_reach",
                    "reels_impressions",
                    "image_impressions",
                ),
                0,
            )
        )
        return row

    def newest(self, channel: str, column: str) -> Any:
        """The value of the feed updated last that has one; the scraper wins a tie."""
        known = [feed for feed in self.feeds[channel] if feed[column] is not None]
        return max(known, key=lambda feed: feed["order"])[column] if known else None

    def identity(self, channel: str) -> Row:
        listed, manual = self.listed.get(channel, {}), self.manual.get(channel, {})
        country = self.newest(channel, "tagged_country") or self.newest(channel, "country")
        if country and country.lower() == by_hand.MARKET_NAME.lower():
            country = by_hand.MARKET
        yt_category = self.mapped.get(self.platform_categories.get(listed.get("youtube_category") or "", ""))
        category = manual.get("category") or self.categories.get(listed.get("ccatid") or "") or yt_category
        spoken = (
            by_hand.language(self.newest(channel, "language"))
            or manual.get("language")
            or self.spoken.get(channel, {}).get("language")
            or by_hand.language(listed.get("language"))
        )
        phone, phone_masked = by_hand.phone(by_hand.text(listed.get("contacts_phone")), self.phone_key)
        picture = self.newest(channel, "thumbnail")
        title, username = self.newest(channel, "title"), self.newest(channel, "custom_url")
        low = (title or "").lower(), (username or "").lower()
        return {
            "channelid": channel,
            "channel_id": channel,
            "updated_at": max(feed["updated_at"] for feed in self.feeds[channel]),
            "title": title,
            "name": title,
            "username": username,
            "description": self.newest(channel, "description"),
            "thumbnail": re.sub(r"=s88(?!\d)", "=s512", picture) if picture else None,
            "country": country,
            "yt_category": yt_category,
            "category": category,
            "categories": [category],
            "language": spoken,
            "languages": [spoken],
            "gender": manual.get("gender"),
            "city": manual.get("city"),
            "state": manual.get("state"),
            "email": by_hand.text(listed.get("contacts_email")) or manual.get("email"),
            "phone": phone,
            "phone_masked": phone_masked,
            "linked_instagram_handle": self.linked.get(channel, {}).get("handle"),
            "profile_type": self.newest(channel, "account_type") or manual.get("profile_type") or "CREATOR",
            "keywords": " ".join(low).split(),
            "search_phrase": f"{low[0]} {low[1]} {channel}",
            "is_collection_profile": int(channel in self.watched),
        }

    def size(self, channel: str) -> Row:
        followers = self.newest(channel, "subscribers") or 0
        uploads = max(self.newest(channel, "uploads") or 0, 0)
        views = max(self.newest(channel, "views") or 0, 0)
        per_video = views / uploads if uploads else 0.0
        grown = self.grown.get(channel, {})
        not_negative = {
            name: None if grown.get(name) is None else max(grown[name], 0)
            for name in ("uploads_7d", "views_7d", "uploads_30d", "views_30d")
        }
        return {
            "followers": followers,
            "uploads": uploads,
            "uploads_count": uploads,
            "post_count": uploads,
            "views": views,
            "avg_views": per_video,
            "video_reach": half_even(per_video),
            "follower_group": by_hand.size(followers),
            "label": by_hand.size(followers, by_hand.LABELS),
            "followers_growth7d": grown.get("follower_7d"),
            "followers_growth30d": grown.get("follower_30d"),
            "followers_growth1y": grown.get("follower_1y"),
            "avg_posts_per_week": not_negative["uploads_7d"],
            "views_7d": not_negative["views_7d"],
            "uploads_30d": not_negative["uploads_30d"],
            "views_30d": not_negative["views_30d"],
            "avg_video_views_30d": not_negative["views_30d"],
            "views_1y": grown.get("views_1y"),
        }


def half_even(value: float) -> float:
    return float(round(value))


def recent_videos(videos: list[Row], followers: int) -> Row:
    videos = sorted(videos, key=lambda video: (-video["published_at"].timestamp(), video["shortcode"]))
    latest = videos[:RECENT]
    shorts = [video for video in videos if (video["post_type"] or "").lower() in ("short", "shorts")][:RECENT]
    likes, comments = mean(v["likes"] for v in latest), mean(v["comments"] for v in latest)
    both = mean(
        None if v["likes"] is None or v["comments"] is None else v["likes"] + v["comments"] for v in latest
    )
    most = max((v["likes"] for v in latest if v["likes"] is not None), default=None)
    short_views = mean(v["views"] for v in shorts)
    return {
        "avg_likes": likes,
        "avg_comments": comments,
        "comments_rate": by_hand.quotient(None if comments is None else 100 * comments, followers),
        "engagement_rate": by_hand.quotient(both, followers),
        "likes_to_comment_ratio": by_hand.quotient(likes, comments),
        "likes_spread": by_hand.quotient(None if most is None else 100 * most, likes),
        "shorts_reach": None if short_views is None else half_even(short_views),
    }


def mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def feeds(client: Client) -> dict[str, list[Row]]:
    """The newest state of a channel in each of the two feeds."""
    newest: dict[tuple[str, int], Row] = {}
    for row in rows(client, "select * from vidooly.youtube_channels where id != ''"):
        updated = moment(row["last_updated_at"])
        feed = {
            "channel": row["id"],
            "updated_at": updated,
            "order": (updated, 0, row["snapshot_date"]),
            "uploads": number(row["video_count"]),
            "views": number(row["view_count"]),
            "subscribers": number(row["subscriber_count"]),
            "tagged_country": None,
            "language": None,
            "account_type": None,
        }
        feed.update(texts(row, "country", "custom_url", "title", "description", "thumbnail"))
        keep_newest(newest, feed, 0)
    for row in rows(client, "select * from stir.stg_beat_youtube_account"):
        columns = ("country", "custom_url", "title", "description", "thumbnail", "tagged_country")
        feed = {
            "channel": row["channel_id"],
            "updated_at": row["updated_at"],
            "order": (row["updated_at"], 1),
            "uploads": row["uploads"],
            "views": row["views"],
            "subscribers": row["subscribers"],
            **texts(row, *columns, "language", "account_type"),
        }
        keep_newest(newest, feed, 1)
    found: dict[str, list[Row]] = defaultdict(list)
    for (channel, _), feed in newest.items():
        found[channel].append(feed)
    return found


def keep_newest(newest: dict[tuple[str, int], Row], feed: Row, origin: int) -> None:
    known = newest.get((feed["channel"], origin))
    if known is None or feed["order"] > known["order"]:
        newest[feed["channel"], origin] = feed


def texts(row: Row, *columns: str) -> Row:
    return {column: by_hand.text(row[column]) for column in columns}


def number(written: str) -> int | None:
    return int(written) if re.fullmatch(r"-?\d+", written) else None


def moment(written: str) -> datetime:
    """UTC without an offset, as the client hands out DateTime columns."""
    read = datetime.fromisoformat(written.replace("Z", "+00:00"))
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


def names(client: Client, table: str) -> dict[str, str]:
    return {str(row["id"]): row["category"] for row in rows(client, f"select * from {table}")}


def keyed(client: Client, model: str, key: str) -> dict[str, Row]:
    return {row[key]: row for row in rows(client, f"select * from stir.{model}")}


def listed_channels(client: Client) -> dict[str, Row]:
    """One row of the social list per channel: one with a category first, the smallest category, the smallest id."""

    def order(row: Row) -> tuple[bool, int, str]:
        category = number(row["ccatid"] or "")
        return category is None, category or 0, row["instagram_userid"]

    found: dict[str, Row] = {}
    for row in rows(client, "select * from vidooly.social_profiles_new_20230217 where youtube_userid != ''"):
        known = found.get(row["youtube_userid"])
        if known is None or order(row) < order(known):
            found[row["youtube_userid"]] = row
    return found


def videos(client: Client) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    columns = "shortcode, channel_id, post_type, published_at, views, likes, comments"
    query = f"select {columns} from stir.stg_beat_youtube_post"
    for row in rows(client, query):
        if row["shortcode"] and row["published_at"] is not None:
            found[row["channel_id"]].append(row)
    return found


def watched_channels(client: Client) -> set[str]:
    codes = {
        row["short_code"]
        for row in rows(client, "select * from stir.stg_coffee_post_collection_item")
        if row["platform"] == "YOUTUBE" and row["enabled"]
    }
    posts = rows(client, "select channel_id, shortcode from stir.stg_beat_youtube_post")
    channels = {row["channel_id"] for row in posts if row["shortcode"] in codes}
    trackers = {
        row["id"]
        for row in rows(client, "select * from stir.stg_coffee_profile_collection where source = 'SAAS-AT'")
    }
    return channels | {
        row["profile_social_id"]
        for row in rows(client, "select * from stir.stg_coffee_profile_collection_item")
        if row["platform"] == "YOUTUBE" and row["enabled"] and row["profile_collection_id"] in trackers
    }
