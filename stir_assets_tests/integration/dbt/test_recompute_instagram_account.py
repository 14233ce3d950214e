"""mart_instagram_account and the peer groups of Instagram, computed a second time in plain Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets_tests.integration.dbt import accounts_by_hand as by_hand
from stir_assets_tests.integration.dbt.comparing_rows import assert_same_rows
from stir_assets_tests.integration.dbt.series_by_hand import built_at, rows

Row = dict[str, Any]
GRADED = [
    "avg_likes",
    "avg_comments",
    "comments_rate",
    "followers",
    "engagement_rate",
    "reels_reach",
    "image_reach",
    "story_reach",
    "reels_impressions",
    "image_impressions",
    "likes_to_comment_ratio",
    "followers_growth7d",
    "followers_growth30d",
    "followers_growth90d",
    "audience_reachability",
    "audience_authencity",
    "post_count",
    "likes_spread",
    "avg_posts_per_week",
]
GROUPED = [
    *GRADED,
    "uploads_30d",
    "views_30d",
    "shorts_reach",
    "video_reach",
    "followers_growth1y",
    "audience_quality",
]
CDN = "https://cdn.example.com/"


def test_every_profile_of_mart_instagram_account_is_what_its_inputs_say(warehouse: Client) -> None:
    profiles = profiles_by_hand(warehouse)
    peers = by_hand.peer_statistics(profiles, GROUPED, keep_small_secondary=False)
    for row in profiles:
        is_known = row["primary_group"] in peers
        row["group_key"] = row["primary_group"] if is_known else row["secondary_group"]
        own_peers = peers.get(row["group_key"], {})
        for metric in GRADED:
            row[f"{metric}_grade"] = by_hand.grade(row[metric], own_peers, metric)
            row[f"group_avg_{metric}"] = own_peers.get(f"group_avg_{metric}")
        row["er_grade"] = row["engagement_rate_grade"]
    by_hand.rank(profiles, "country_rank", lambda row: row["country"])
    by_hand.rank(profiles, "category_rank", lambda row: (row["country"], row["primary_category"]))
    model = {(row["handle"],): row for row in rows(warehouse, "select * from stir.mart_instagram_account")}
    assert_same_rows(model, {(row["handle"],): row for row in profiles})


def test_instagram_peer_groups_are_what_the_profiles_say(warehouse: Client) -> None:
    peers = by_hand.peer_statistics(profiles_by_hand(warehouse), GROUPED, keep_small_secondary=False)
    query = "select * from stir.mart_primary_group_metrics where group_key like 'INSTA%'"
    model = {(row["group_key"],): row for row in rows(warehouse, query)}
    assert_same_rows(model, {(key,): row for key, row in peers.items()})


def profiles_by_hand(client: Client) -> list[Row]:
    """Every column but grades, ranks and group_key."""
    # The weekly series ends with the week of the build, so its own clock is the one that counts.
    today = built_at(client, "mart_instagram_account").date()
    summaries = {
        row["profile_id"]: row for row in rows(client, "select * from stir.mart_instagram_account_summary")
    }
    owners: dict[str, Row] = {}
    for account in rows(client, "select * from stir.stg_beat_instagram_account"):
        if account["profile_id"] in summaries and account["handle"]:
            owner = owners.get(account["handle"].lower())
            if owner is None or newest(account) > newest(owner):
                owners[account["handle"].lower()] = account
    facts = Facts(client, today)
    return [facts.profile(account, summaries[account["profile_id"]]) for account in owners.values()]


def newest(account: Row) -> tuple[datetime, str]:
    return account["updated_at"], account["profile_id"]


class Facts:
    """What the other inputs say about profiles, by profile id (lower-case handle for the language model)."""

    def __init__(self, client: Client, today: date) -> None:
        self.phone_key = by_hand.phone_key(client)
        self.week = today - timedelta(days=(today.weekday() + 1) % 7)
        categories = {row["id"]: row["category"] for row in rows(client, "select * from vidooly.category")}
        self.listed: dict[str, list[str]] = defaultdict(list)
        query = "select * from vidooly.social_profiles_new_20230217 where country = 'IN' and instagram_userid != ''"
        for row in rows(client, query):
            self.listed[row["instagram_userid"]].append(row["ccatid"] or "")
        self.listed_category = {
            profile: categories.get(min(int(number) for number in numbers if number.isdigit()))
            for profile, numbers in self.listed.items()
            if any(number.isdigit() for number in numbers)
        }
        self.older: dict[str, Row] = {}
        for row in rows(client, "select * from dbt.stg_vidooly_instagram_profiles"):
            known = self.older.get(str(row["profile_id"]))
            if known is None or list_order(row) < list_order(known):
                self.older[str(row["profile_id"])] = row
        self.gpt = by_key(client, "mart_instagram_gpt_basic_data", "handle")
        self.predicted = by_key(client, "mart_insta_predicted_categories", "profile_id")
        self.spoken = by_key(client, "mart_insta_predicted_lang", "profile_id")
        self.linked = by_key(client, "mart_linked_socials", "profile_id")
        self.audience = {
            row["platform_id"]: row
            for row in rows(client, "select * from stir.mart_audience_info where platform = 'INSTAGRAM'")
        }
        self.located = at_home(client)
        self.pictures = newest_pictures(client)
        self.weeks: dict[str, dict[date, Row]] = defaultdict(dict)
        for row in rows(client, "select * from stir.mart_insta_account_weekly"):
            if row["date"] <= today:
                self.weeks[row["platform_id"]][row["date"]] = row
        self.posting = posting_rates(client)
        self.watched = watched_profiles(client)

    def profile(self, account: Row, summary: Row) -> Row:
        row = {**self.identity(account), **self.size(account), **recent_posts(account, summary)}
        row.update(self.growth(account["profile_id"]))
        audience = self.audience.get(account["profile_id"], {})
        row["audience_reachability"] = audience.get("reachable_followers_perc", 0)
        row["audience_authencity"] = audience.get("audience_authenticity", 0)
        row["audience_quality"] = audience.get("audience_quality_score", 0)
        row["audience_quality_grade"] = audience.get("audience_quality_grade") or None
        row["primary_group"] = by_hand.group(
            "INSTA", row["country"], row["primary_category"], row["follower_group"]
        )
        row["secondary_group"] = by_hand.group("INSTA", row["country"], row["follower_group"])
        return row

    def identity(self, account: Row) -> Row:
        key = account["profile_id"]
        older, gpt = self.older.get(key, {}), self.gpt.get(account["handle"].lower(), {})
        country, country_source = by_hand.first(
            (by_hand.text(account["country"]), "beat"),
            (by_hand.MARKET if key in self.listed else None, "vidooly_sp"),
            (by_hand.text(older.get("country")), "vidooly_ia"),
            (gpt.get("country"), "gpt"),
            (by_hand.MARKET if key in self.located else None, "posts"),
        )
        original = (
            (self.listed_category.get(key), "vidooly"),
            (self.predicted.get(key, {}).get("category"), "predicted"),
        )
        category, category_source = by_hand.first(
            (by_hand.text(self.linked.get(key, {}).get("category")), "link_social"), *original
        )
        old_city = (by_hand.text(older.get("city")) or "").split(",")[0].strip() or None
        city, city_source = by_hand.first((old_city, "vidooly_ia"), (gpt.get("city") or None, "gpt"))
        gender, gender_source = by_hand.first(
            ({"M": "MALE", "F": "FEMALE"}.get((older.get("gender") or "").upper()), "vidooly_ia"),
            (gpt.get("gender") or None, "gpt"),
        )
        spoken, language_source = by_hand.first(
            (by_hand.language(account["language"]), "beat"),
            (gpt.get("language"), "gpt"),
            (self.spoken.get(key, {}).get("lang"), "predicted"),
        )
        number = by_hand.text(older.get("public_phone_number")) or by_hand.text(
            older.get("contact_phone_number")
        )
        phone, phone_masked = by_hand.phone(number, self.phone_key)
        picture = self.pictures.get(key)
        kind = (account["profile_type"] or "").upper()
        if kind not in ("PERSONAL", "BUSINESS", "CREATOR"):
            kind = "BUSINESS_OR_CREATOR" if account["is_business_or_creator"] == 1 else "UNKNOWN"
        search_phrase = f"{(account['full_name'] or '').lower()} {account['handle'].lower()}"
        return {
            "ig_id": key,
            "handle": account["handle"],
            "name": account["full_name"],
            "updated_at": account["updated_at"],
            "thumbnail": CDN + picture if picture else by_hand.text(older.get("saved_thumbnail")),
            "account_type": kind,
            "profile_type": by_hand.text(account["account_type"]) or "CREATOR",
            "search_phrase": search_phrase,
            "keywords": search_phrase.split(),
            "categories": [category],
            "languages": [spoken or "en"],
            "linked_channel_id": self.linked.get(key, {}).get("channel_id"),
            "city": city,
            "city_source": city_source,
            "state": gpt.get("state") or None,
            "gender": gender,
            "gender_source": gender_source,
            "primary_language": spoken or "en",
            "language_source": language_source,
            "primary_category": category,
            "category_source": category_source,
            "primary_category_original": by_hand.first(*original)[0],
            "country": country,
            "country_source": country_source,
            "phone": phone,
            "phone_masked": phone_masked,
            "email": by_hand.text(older.get("email")),
            "is_collection_profile": int(
                key in self.watched["profiles"] or account["handle"].lower() in self.watched["handles"]
            ),
        }

    def size(self, account: Row) -> Row:
        followers, following = account["followers"], account["following"]
        return {
            "followers": followers,
            "following": following,
            "post_count": max(account["media_count"], 0),
            "ffratio": followers / following if following else float(followers),
            "follower_group": by_hand.size(followers),
            "label": by_hand.size(followers, by_hand.LABELS),
        }

    def growth(self, profile: str) -> Row:
        weeks = self.weeks.get(profile, {})
        year_ago = self.week.replace(year=self.week.year - 1)
        starts = {f"{days}d": self.week - timedelta(days=days) for days in (7, 30, 90)} | {"1y": year_ago}
        row: Row = {}
        for window, start in starts.items():
            earlier = [day for day in weeks if day < start]
            known = bool(earlier) and max(weeks) >= start
            row[f"followers_growth{window}"] = (
                weeks[max(weeks)]["followers"] - weeks[max(earlier)]["followers"] if known else None
            )
        recent = [row for day, row in weeks.items() if day >= self.week - timedelta(days=30)]
        for name in ("uploads", "plays", "reach", "impressions"):
            total = float(sum(week[name] or 0 for week in recent))
            row[f"{name}_30d"] = total if weeks else None
        row["views_30d"] = row["plays_30d"]
        plays = sum(week["plays"] or 0 for week in weeks.values())
        row["avg_reels_play_30d"] = 4 * plays / len(weeks) if weeks else 0
        row["avg_posts_per_week"] = self.posting.get(profile)
        row["shorts_reach"] = row["video_reach"] = 0
        return row


def recent_posts(account: Row, summary: Row) -> Row:
    def mean(without_outliers: str, plain: str) -> float | None:
        if account["media_count"] == 0:
            return 0
        return summary[without_outliers] or summary[plain]

    row: Row = {
        "avg_likes": mean("avg_likes_non_outliers", "avg_likes"),
        "avg_comments": mean("avg_comments_non_outliers", "avg_comments"),
        "avg_reach": mean("avg_reach_non_outliers", "avg_reach"),
        "avg_reels_play_count": mean("avg_reels_plays_non_outliers", "avg_reels_plays"),
        "reels_reach": mean("avg_reels_reach_non_outliers", "avg_reels_reach"),
        "image_reach": mean("static_reach_non_outliers", "avg_static_reach"),
        "engagement_rate": mean("avg_er_non_outliers", "avg_er") if account["followers"] else 0,
        "reels_impressions": summary["avg_reels_impressions"],
        "image_impressions": summary["avg_static_impressions"],
        "story_reach": summary["story_reach"],
        "likes_spread": summary["likes_spread_percentage"],
        "likes_spread_percentage": summary["likes_spread_percentage"],
    }
    row["avg_views"] = row["avg_reels_play_count"]
    comments = row["avg_comments"]
    row["comments_rate"] = by_hand.quotient(
        100 * comments if comments is not None else None, account["followers"]
    )
    row["likes_to_comment_ratio"] = by_hand.quotient(row["avg_likes"], comments)
    return row


def list_order(row: Row) -> tuple[int, str]:
    followers = row["followers"]
    return -(int(followers) if followers.isdigit() else 0), row["profile_name"]


def by_key(client: Client, model: str, key: str) -> dict[str, Row]:
    return {row[key]: row for row in rows(client, f"select * from stir.{model}")}


def at_home(client: Client) -> set[str]:
    """Profiles with more than half of their located posts in the market."""
    places: dict[str, list[bool]] = defaultdict(list)
    for row in rows(client, "select * from stir.mart_post_location"):
        places[row["profile_id"]].append(
            row["location"].strip().lower().endswith(by_hand.MARKET_NAME.lower())
        )
    return {profile for profile, homes in places.items() if 2 * sum(homes) > len(homes)}


def newest_pictures(client: Client) -> dict[str, str]:
    uploads = rows(client, "select * from stir.stg_beat_asset_log where entity_type = 'PROFILE'")
    ordered = sorted(
        (row for row in uploads if row["asset_url"] is not None), key=lambda r: (r["created_at"], r["id"])
    )
    return {row["entity_id"]: row["asset_url"] for row in ordered}


def posting_rates(client: Client) -> dict[str, float]:
    """Mean number of distinct posts over the Sunday weeks that have any; stories are no posts."""
    weeks: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
    query = "select profile_id, shortcode, publish_time, post_type from stir.stg_beat_instagram_post"
    for row in rows(client, query):
        if row["publish_time"] is not None and row["post_type"] != "story":
            day = row["publish_time"].date()
            sunday = day - timedelta(days=(day.weekday() + 1) % 7)
            weeks[row["profile_id"]][sunday].add(row["shortcode"])
    return {profile: sum(map(len, found.values())) / len(found) for profile, found in weeks.items()}


def watched_profiles(client: Client) -> dict[str, set[str]]:
    """Profile ids and lower-case handles that enabled items of collections point at."""
    items = list(
        rows(
            client,
            "select * from stir.stg_coffee_post_collection_item where platform = 'INSTAGRAM' and enabled",
        )
    )
    codes = {row["short_code"] for row in items if row["short_code"]}
    posts = rows(client, "select profile_id, shortcode from stir.stg_beat_instagram_post")
    profiles = {row["profile_id"] for row in posts if row["shortcode"] in codes}
    trackers = {
        row["id"]
        for row in rows(client, "select * from stir.stg_coffee_profile_collection where source = 'SAAS-AT'")
    }
    listed = {
        row["platform_account_code"]
        for row in rows(client, "select * from stir.stg_coffee_profile_collection_item")
        if row["platform"] == "INSTAGRAM" and row["enabled"] and row["profile_collection_id"] in trackers
    }
    accounts = rows(client, "select id, ig_id from stir.stg_coffee_view_instagram_account_lite")
    profiles |= {row["ig_id"] for row in accounts if row["id"] in listed and row["ig_id"]}
    return {
        "profiles": profiles,
        "handles": {row["posted_by_handle"].lower() for row in items if row["posted_by_handle"]},
    }
