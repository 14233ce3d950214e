"""mart_collection_post computed in plain Python from items, scraped events and link tables, as its description states.

What the dbt model is compared with; knows nothing of its SQL. Taken as given: the staging tables and the list of
impossible observations (mart_fake_events).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets_tests.integration.dbt.series_by_hand import rows

Row = dict[str, Any]
Counters = dict[str, int]
STORY_CORRECTED_FROM = datetime(2023, 11, 22, tzinfo=UTC)
STORY_IMPRESSIONS_FROM = datetime(2023, 11, 23, tzinfo=UTC)
INSTAGRAM_KEYS = {
    "likes": "likes",
    "comments": "comments",
    "plays": "play_count",
    "saves": "saves",
    "mentions": "mentions",
    "shares": "shares",
    "story_back_taps": "taps_back",
    "story_forward_taps": "taps_forward",
    "story_exits": "exits",
    "sticker_taps": "sticker_taps",
    "swipe_ups": "swipe_ups",
    "real_reach": "reach",
    "real_impressions": "impressions",
}
HIGHEST = ("saves", "swipe_ups", "mentions", "sticker_taps", "shares")
HIGHEST_OF_STORIES = ("story_exits", "story_back_taps", "story_forward_taps")
ORDERS = {
    "orders": "overall_orders",
    "delivered_orders": "delivered_orders",
    "completed_orders": "completed_orders",
    "leaderboard_overall_orders": "leaderboard_overall_orders",
    "leaderboard_delivered_orders": "leaderboard_delivered_orders",
    "leaderboard_completed_orders": "leaderboard_completed_orders",
}


@dataclass
class World:
    """Rows the summary is made of, indexed by the keys it joins on."""

    instagram_posts: dict[str, Row]
    videos: dict[str, Row]
    accounts: dict[str, Row]
    accounts_by_handle: dict[str, Row]
    channels: dict[str, Row]
    pictures: dict[str, str]
    days: dict[tuple[str, str], list[tuple[date, Counters]]]
    """Accepted days of a post, in order, with its lifetime counters carried over unreported values."""
    clicks: Mapping[str, int]
    orders: Mapping[str, Counters]
    typed_clicks: Mapping[tuple[str, str], int]
    collections: dict[str, Row]


def load(client: Client) -> World:
    accounts = {
        row["profile_id"]: row for row in rows(client, "select * from stir.stg_beat_instagram_account")
    }
    by_handle: dict[str, Row] = {}
    for account in sorted(accounts.values(), key=lambda row: row["updated_at"]):
        by_handle[account["handle"].lower()] = account
    pictures = {}
    query = "select * from stir.stg_beat_asset_log where entity_type = 'POST' order by created_at, id"
    for asset in rows(client, query):
        if asset["asset_url"]:
            pictures[asset["entity_id"]] = asset["asset_url"]
    clicks: Counters = defaultdict(int)
    for row in rows(client, "select url, unique_clicks from dbt.mart_link_clicks"):
        clicks[bare(row["url"])] += row["unique_clicks"]
    orders: dict[str, Counters] = defaultdict(lambda: dict.fromkeys(ORDERS, 0))
    for row in rows(client, "select * from dbt.mart_link_clicks_orders"):
        for name, source in ORDERS.items():
            orders[bare(row["link"])][name] += row[source]
    typed: dict[tuple[str, str], int] = {}
    for row in rows(client, "select * from s3.campaign_post_links_clicks"):
        key = ((row["post_collection_id"] or "").strip() or "MISSING", row["short_code"].strip())
        typed[key] = max(typed.get(key, 0), number(row["Clicks"]))
    return World(
        instagram_posts={
            row["shortcode"]: row for row in rows(client, "select * from stir.stg_beat_instagram_post")
        },
        videos={row["shortcode"]: row for row in rows(client, "select * from stir.stg_beat_youtube_post")},
        accounts=accounts,
        accounts_by_handle=by_handle,
        channels={
            row["channel_id"]: row for row in rows(client, "select * from stir.stg_beat_youtube_account")
        },
        pictures=pictures,
        days=accepted_days(client),
        clicks=clicks,
        orders=orders,
        typed_clicks=typed,
        collections={row["id"]: row for row in rows(client, "select * from stir.stg_coffee_post_collection")},
    )


def accepted_days(client: Client) -> dict[tuple[str, str], list[tuple[date, Counters]]]:
    query = "select platform, post_short_code, event_timestamp from stir.mart_fake_events"
    rejected = {
        (row["platform"], row["post_short_code"], row["event_timestamp"]) for row in rows(client, query)
    }
    seen: dict[tuple[str, str], dict[date, Counters]] = defaultdict(dict)
    for event in rows(client, "select platform, shortcode, event_timestamp, metrics from _e.post_log_events"):
        if (event["platform"], event["shortcode"], event["event_timestamp"]) in rejected:
            continue
        counters = counters_of(event["platform"], json.loads(event["metrics"]))
        days = seen[event["platform"], event["shortcode"]]
        day = event["event_timestamp"].date()
        best = days.setdefault(day, counters)
        days[day] = {name: max(value, counters[name]) for name, value in best.items()}
    return {post: carried(sorted(days.items())) for post, days in seen.items()}


def counters_of(platform: str, metrics: Mapping[str, Any]) -> Counters:
    if platform == "YOUTUBE":
        views = number(metrics.get("view_count")) or number(metrics.get("play_count"))
        return {
            "likes": number(metrics.get("likes")),
            "comments": number(metrics.get("comments")),
            "views": views,
        }
    return {name: number(metrics.get(key)) for name, key in INSTAGRAM_KEYS.items()}


def carried(days: list[tuple[date, Counters]]) -> list[tuple[date, Counters]]:
    last: Counters = {}
    result = []
    for day, counters in days:
        last = {name: value or last.get(name, 0) for name, value in counters.items()}
        result.append((day, last))
    return result


def number(value: object) -> int:
    text = str(value).strip() if value is not None else ""
    return int(text) if re.fullmatch(r"-?\d+", text) else 0


def bare(link: str) -> str:
    return re.sub(r"^https?://", "", link.strip(' "'), flags=re.IGNORECASE).rstrip("/")


def hashtags(text: str) -> list[str]:
    found, current = [], ""
    for char in text + " ":
        if current and (char == "_" or unicodedata.category(char)[0] in "LMN"):
            current += char
            continue
        if len(current) > 1:
            found.append(current)
        current = "#" if char == "#" else ""
    return found


def keywords(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]{4,}", text)


def estimated_reach(post_type: str, counters: Counters, followers: int) -> float:
    if post_type == "reels":
        return max(0.0, counters["plays"] * (0.94 - 0.001 * math.log2(max(followers, 1))))
    likes = counters["likes"]
    return max(0.0, 0.85 * likes * (7.6 - 0.7 * math.log10(likes))) if likes > 0 else 0.0


def estimated_impressions(post_type: str, counters: Counters) -> float:
    if post_type == "reels":
        return float(counters["plays"])
    likes = counters["likes"]
    return max(0.0, 0.95 * likes * (7.6 - 0.75 * math.log10(likes))) if likes > 0 else 0.0


def story_estimate(item: Row, world: World) -> tuple[float, float]:
    """Reach and impressions of a story item from the author's snapshot."""
    post = world.instagram_posts.get(item["short_code"])
    if not post or not post["profile_follower"] or post["profile_er"] is None:
        return 0.0, 0.0
    followers, percent = post["profile_follower"], post["profile_er"]
    if utc(item["created_at"]) >= STORY_CORRECTED_FROM:
        percent += 2
    if percent <= 0:
        return 0.0, 0.0
    reach = max(
        0.0, half_even(1.11 * followers * abs(math.log2(percent)) * 2 / 100 - 0.000025017 * followers)
    )
    collection = world.collections.get(item["post_collection_id"])
    if not collection or utc(collection["created_at"]) < STORY_IMPRESSIONS_FROM:
        return reach, 0.0
    return reach, half_even(reach * (1.02 + reach % 10 / 100))


def half_even(value: float) -> float:
    return float(round(value))


def utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def summary_of(
    world: World, platform: str, collection_id: str, code: str, item: Row | None, addresses: Mapping[str, str]
) -> Row:
    """The row of one post of one collection; `item` is None in a profile collection."""
    days = world.days.get((platform, code), [])
    of_platform = instagram_facts if platform == "INSTAGRAM" else youtube_facts
    facts = of_platform(world, code, days, item, addresses)
    typed_handle = (item or {}).get("posted_by_handle") or ""
    account = world.accounts_by_handle.get(typed_handle.lower()) if typed_handle else None
    if item and platform == "INSTAGRAM" and account:
        facts["profile_social_id"] = facts["profile_social_id"] or account["profile_id"]
        facts["followers"] = facts["followers"] or account["followers"]
    shown = account if platform == "INSTAGRAM" else None
    facts["profile_handle"] = facts["profile_handle"] or (shown or {}).get("handle") or typed_handle
    facts["profile_name"] = (
        facts["profile_name"]
        or (shown or {}).get("full_name")
        or (shown or {}).get("handle")
        or typed_handle
        or ("MISSING" if platform == "YOUTUBE" and days else "")
    )
    if item:
        facts["post_type"] = facts["post_type"] or (item["post_type"] or "").lower()
        facts["post_link"] = item["post_link"] or facts["post_link"]
        facts["post_thumbnail"] = facts["post_thumbnail"] or item["post_thumbnail"] or ""
        facts["published_at"] = facts["published_at"] or item["created_at"]
        if platform == "INSTAGRAM" and (item["post_type"] or "").lower() == "story":
            replace_by_story_estimate(facts, story_estimate(item, world), days)
    newest = days[-1][1] if days else Counters()
    engagement = newest.get("likes", 0) + newest.get("comments", 0)
    return facts | sales(world, item, collection_id, code) | {
        "collection_type": "POST" if item else "PROFILE",
        "post_collection_item_id": item["id"] if item else 0,
        "views": facts["reach"],
        "total_engagement": max((day["likes"] + day["comments"] for _, day in days), default=0),
        "engagement_rate": engagement / facts["reach"] if facts["reach"] > 0 else 0.0,
    }  # fmt: skip


def replace_by_story_estimate(
    facts: Row, estimate: tuple[float, float], days: list[tuple[date, Counters]]
) -> None:
    newest = days[-1][1] if days else Counters()
    for name, real, value in (
        ("reach", "real_reach", estimate[0]),
        ("impressions", "real_impressions", estimate[1]),
    ):
        if not newest.get(real) and value > 0:
            facts[name] = value


def instagram_facts(
    world: World, code: str, days: list[tuple[date, Counters]], item: Row | None, addresses: Mapping[str, str]
) -> Row:
    # Attributes come with the series: without an event nothing of the stored post is shown.
    post = world.instagram_posts.get(code) if days else None
    account = world.accounts.get(post["profile_id"]) if post else None
    newest = days[-1][1] if days else dict.fromkeys(INSTAGRAM_KEYS, 0)
    post_type = post["post_type"] if post else ""
    followers = account["followers"] if account else 0
    # Items of a post collection use reported values on all days or none; tracked profiles decide day by day. The
    # summary shows reported values whenever the newest day has them.
    decides = days[0][1] if item and days else newest
    reach = float(newest["real_reach"]) or (
        0.0 if decides["real_reach"] else estimated_reach(post_type, newest, followers)
    )
    impressions = float(newest["real_impressions"]) or (
        0.0 if decides["real_impressions"] else estimated_impressions(post_type, newest)
    )
    caption = (post["caption"] if post else None) or ""
    stored = world.pictures.get(code) if days else None
    picture = addresses["cdn"] + stored if stored else (post["display_url"] if post else None)
    return {
        "followers": followers,
        "post_type": post_type,
        "post_title": caption,
        "post_link": addresses["instagram"] + code,
        "post_thumbnail": picture or "",
        "hashtags": hashtags(caption),
        "keywords": keywords(caption),
        "published_at": post["publish_time"] if post else None,
        "profile_social_id": post["profile_id"] if post else "",
        "profile_handle": (account["handle"] if account else "") or (post["handle"] if post else ""),
        "profile_name": (account["full_name"] or account["handle"] if account else "")
        or (post["handle"] if post else ""),
        "likes": newest["likes"],
        "comments": newest["comments"],
        "plays": newest["plays"],
        "reach": reach,
        "impressions": impressions,
    } | highest(days, HIGHEST + HIGHEST_OF_STORIES)


def youtube_facts(
    world: World, code: str, days: list[tuple[date, Counters]], item: Row | None, addresses: Mapping[str, str]
) -> Row:
    video = world.videos.get(code) if days else None
    channel = world.channels.get(video["channel_id"]) if video else None
    newest = days[-1][1] if days else {"likes": 0, "comments": 0, "views": 0}
    description = (video["description"] if video else None) or ""
    picture = (video["thumbnail"] if video else None) or ""
    return {
        "followers": 0,
        "post_type": "video" if days else "",
        "post_title": description,
        "post_link": addresses["youtube"] + code,
        "post_thumbnail": re.sub(r"/default(_live)?\.jpg", r"/hqdefault\1.jpg", picture),
        "hashtags": hashtags(description),
        "keywords": keywords(description),
        "published_at": video["published_at"] if video else None,
        "profile_social_id": video["channel_id"] if video else "",
        "profile_handle": video["channel_id"] if video else "",
        "profile_name": (channel["custom_url"] or channel["title"] or "") if channel else "",
        "likes": newest["likes"],
        "comments": newest["comments"],
        "plays": 0,
        "reach": float(newest["views"]),
        "impressions": float(newest["views"]),
    } | dict.fromkeys(HIGHEST + HIGHEST_OF_STORIES, 0)


def highest(days: list[tuple[date, Counters]], names: Iterable[str]) -> Counters:
    return {name: max((day[name] for _, day in days), default=0) for name in names}


def sales(world: World, item: Row | None, collection_id: str, code: str) -> Counters:
    if not item:
        return {"link_clicks": 0, **dict.fromkeys(ORDERS, 0)}
    links = json_list(item["sponsor_links"])
    link = bare(links[0]) if links else ""
    typed = max(world.typed_clicks.get((scope, code), 0) for scope in (collection_id, "MISSING"))
    orders = world.orders.get(link) if link else None
    automatic = world.clicks.get(link, 0) if link else 0
    return {"link_clicks": max(automatic, typed), **(orders or dict.fromkeys(ORDERS, 0))}


def json_list(text: str | None) -> list[str]:
    if not text:
        return []
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        return []
    return parsed if isinstance(parsed, list) else []


def tracked_profile_posts(client: Client, world: World) -> set[tuple[str, str, str]]:
    """(platform, collection id, short code) of posts of tracked profiles that have an accepted event."""
    trackers = {
        row["id"]
        for row in rows(client, "select * from stir.stg_coffee_profile_collection")
        if row["source"] == "SAAS-AT"
    }
    codes = {
        row["id"]: row["ig_id"]
        for row in rows(client, "select * from stir.stg_coffee_view_instagram_account_lite")
    }
    profiles: dict[str, dict[str, set[str]]] = {"INSTAGRAM": defaultdict(set), "YOUTUBE": defaultdict(set)}
    for item in rows(client, "select * from stir.stg_coffee_profile_collection_item"):
        if not item["enabled"] or item["profile_collection_id"] not in trackers:
            continue
        instagram = item["platform"] == "INSTAGRAM"
        profile = codes.get(item["platform_account_code"]) if instagram else item["profile_social_id"]
        if profile:
            profiles[item["platform"]][profile].add(str(item["profile_collection_id"]))
    authors: list[tuple[str, dict[str, Row], Callable[[Row], str]]] = [
        ("INSTAGRAM", world.instagram_posts, lambda post: post["profile_id"]),
        ("YOUTUBE", world.videos, lambda post: post["channel_id"]),
    ]
    return {
        (platform, collection, code)
        for platform, posts, author_of in authors
        for code, post in posts.items()
        for collection in profiles[platform].get(author_of(post), ())
        if world.days.get((platform, code))
    }
