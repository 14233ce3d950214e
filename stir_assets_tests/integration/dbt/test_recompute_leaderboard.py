"""mart_leaderboard, computed a second time in plain Python from the source rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets_tests.integration.dbt import series_by_hand as by_hand
from stir_assets_tests.integration.dbt.comparing_rows import assert_same_rows

Row = dict[str, Any]
CIRCLES = {
    "": (),
    "_by_cat": ("category",),
    "_by_lang": ("language",),
    "_by_cat_lang": ("category", "language"),
    "_by_profile": ("profile_type",),
    "_by_cat_profile": ("category", "profile_type"),
    "_by_lang_profile": ("language", "profile_type"),
    "_by_cat_lang_profile": ("category", "language", "profile_type"),
}
METRICS = ("followers", "followers_change", "views", "plays")
RANKS = [f"{metric}_rank{suffix}" for suffix in CIRCLES for metric in METRICS]
SHOWN = 1000


def descending(values: Iterable[Any]) -> tuple[Any, ...]:
    """Sort key: greatest first, unknown last (numbers only; ids are handled by `by_id`)."""
    return tuple((value is None, -(value or 0)) for value in values)


def with_ranks(
    board: list[Row], order: dict[str, tuple[str, ...]], circles: dict[str, tuple[str, ...]]
) -> None:
    for metric, columns in order.items():
        # Python sorts are stable: ids first (descending), then the numbers.
        by_id = sorted(board, key=lambda row: row["platform_id"], reverse=True)
        ordered = sorted(by_id, key=lambda row: descending(row[column] for column in columns))
        for suffix, attributes in circles.items():
            places: dict[tuple[Any, ...], int] = defaultdict(int)
            for row in ordered:
                circle = (row["month"], *(row[attribute] for attribute in attributes))
                places[circle] += 1
                row[f"{metric}_rank{suffix}"] = places[circle]


def finished(
    board: list[Row], order: dict[str, tuple[str, ...]], names: Callable[[Row], tuple[Any, ...]]
) -> list[Row]:
    """Ranks, the cut and the ranks of the month before."""
    with_ranks(board, order, CIRCLES)
    scoped = [f"{metric}_rank{suffix}" for suffix in CIRCLES if suffix for metric in order]
    kept = [row for row in board if any(row[rank] < SHOWN for rank in scoped)]
    on_board = {(*names(row), row["month"]): row for row in kept}
    for row in kept:
        before = on_board.get((*names(row), by_hand.month_before(row["month"])), {})
        row["current_month_ranks"] = {rank: row.get(rank, 0) for rank in RANKS}
        row["last_month_ranks"] = {rank: before.get(rank, 0) for rank in RANKS}
    return kept


def instagram_board(client: Client) -> list[Row]:
    accounts: dict[str, Row] = {}
    query = (
        "select ig_id, handle, primary_category, primary_language, country, profile_type, updated_at "
        "from stir.mart_instagram_account where ig_id != 'MISSING' order by updated_at, handle desc"
    )
    for row in by_hand.rows(client, query):
        accounts[row["ig_id"]] = row
    now = by_hand.built_at(client, "mart_insta_leaderboard_base")
    board = []
    for (profile, month), p in by_hand.instagram_periods(
        client, now, by_hand.month_start, by_hand.month_before
    ).items():
        account = accounts.get(profile)
        if account is None or account["country"] != "IN" or not account["handle"]:
            continue
        if not p.previous_followers or p.plays <= 0:
            continue
        board.append(
            {
                "month": month,
                "platform": "INSTAGRAM",
                "profile_platform": "IA",
                "platform_id": profile,
                "handle": account["handle"],
                "category": account["primary_category"],
                "language": account["primary_language"],
                "country": "IN",
                "profile_type": account["profile_type"] or "CREATOR",
                "engagement_rate": p.engagement_rate or 0,
                "avg_likes": p.per_post(p.likes) or 0,
                "avg_comments": p.per_post(p.comments) or 0,
                "avg_views": p.per_post(p.views) or 0,
                "avg_plays": p.per_post(p.plays) or 0,
                "followers": p.followers,
                "views": p.views,
                "prev_views": 0,
                "ia_views": p.views,
                "yt_views": 0,
                "uploads": p.posts,
                "prev_followers": p.previous_followers,
                "followers_change": p.followers_change,
                "likes": p.likes,
                "comments": p.comments,
                "plays": p.plays,
                "prev_plays": p.plays_period_before,
                "engagement": p.likes + p.comments,
            }
        )
    return finished(board, {metric: (metric,) for metric in METRICS}, lambda row: (row["platform_id"],))


def youtube_board(client: Client) -> list[Row]:
    query = (
        "select channelid, username, title, category, language, country, profile_type from stir.mart_youtube_account "
        "where country = 'IN'"
    )
    accounts = {row["channelid"]: row for row in by_hand.rows(client, query)}
    months = by_hand.youtube_months(client, by_hand.built_at(client, "mart_yt_leaderboard_base_raw"))
    gains: dict[tuple[str, date], int] = {}
    board = []
    for channel, month, now, _, then, consecutive in by_hand.with_previous(months, by_hand.month_before):
        if then is None or not consecutive:
            continue
        gains[channel, month] = now[0] - then[0]
        account = accounts.get(channel)
        if account is None or gains[channel, month] <= 0 or (not then[1] and now[1]):
            continue
        board.append(
            {
                "month": month,
                "platform": "YOUTUBE",
                "profile_platform": "YA",
                "platform_id": channel,
                "handle": account["username"] or account["title"],
                "category": account["category"],
                "language": account["language"],
                "country": "IN",
                "profile_type": account["profile_type"] or "CREATOR",
                "engagement_rate": 0,
                "avg_plays": 0,
                "followers": now[1] or 0,
                "views": gains[channel, month],
                "prev_views": gains.get((channel, by_hand.month_before(month)), 0),
                "ia_views": 0,
                "yt_views": gains[channel, month],
                "uploads": by_hand.gain(now[2], then[2]),
                "prev_followers": then[1] or 0,
                "followers_change": by_hand.gain(now[1], then[1]),
                "likes": 0,
                "comments": 0,
                "plays": 0,
                "prev_plays": 0,
                "engagement": 0,
            }
        )
    order = {
        "followers": ("followers", "followers_change", "views"),
        "followers_change": ("followers_change", "followers", "views"),
        "views": ("views", "followers", "followers_change"),
    }
    return finished(board, order, lambda row: (row["platform_id"],))


def cross_platform_board(client: Client, instagram: list[Row], youtube: list[Row]) -> list[Row]:
    query = "select channel_id, profile_id, handle from stir.mart_linked_socials where profile_id != ''"
    links = {row["channel_id"]: row for row in by_hand.rows(client, query)}
    sides: dict[tuple[date, str, str], list[Row]] = defaultdict(list)
    for row in instagram:
        side = row | {
            "views": row["plays"],
            "ia_views": row["plays"],
            "prev_views": row["prev_plays"],
            "priority": 1,
        }
        sides[row["month"], "IA", row["platform_id"]].append(side)
    for row in youtube:
        link = links.get(row["platform_id"])
        side = row | {"priority": 2}
        if link is None:
            sides[row["month"], "YA", row["platform_id"]].append(side)
        else:
            sides[row["month"], "IA", link["profile_id"]].append(side | {"handle": link["handle"]})
    board = []
    for (month, kind, platform_id), members in sides.items():
        members.sort(key=lambda side: (side["priority"], side["followers"], side["platform_id"]))
        by_priority = sorted(members, key=lambda side: (side["priority"], side["platform_id"]))
        sums = ("views", "prev_views", "ia_views", "yt_views", "uploads", "followers", "prev_followers")
        sums += ("followers_change", "likes", "comments")
        board.append(
            {
                name: sum(side[name] or 0 for side in members)
                for name in (*sums, "followers_change", "likes", "comments")
            }
            | {
                "month": month,
                "platform": "ALL",
                "profile_platform": kind,
                "platform_id": platform_id,
                "handle": next((side["handle"] for side in by_priority if side["handle"] is not None), None),
                "category": members[-1]["category"],
                "language": members[-1]["language"],
                "profile_type": max(side["profile_type"] for side in members),
                "country": "IN",
                "engagement_rate": 0,
                "plays": 0,
                "prev_plays": 0,
                "engagement": 0,
            }
        )
    order = {metric: (metric,) for metric in ("followers", "followers_change", "views")}
    return finished(board, order, lambda row: (row["profile_platform"], row["platform_id"]))


def key_of(row: Row) -> tuple[Any, ...]:
    return row["month"], row["platform"], row["profile_platform"], row["platform_id"]


def test_every_row_rank_and_figure_agrees_with_a_computation_from_the_sources(warehouse: Client) -> None:
    instagram, youtube = instagram_board(warehouse), youtube_board(warehouse)
    expected = {
        key_of(row): row
        for row in (*instagram, *youtube, *cross_platform_board(warehouse, instagram, youtube))
    }
    for row in expected.values():
        row.update({rank: row["current_month_ranks"][rank] for rank in RANKS[:16]})
        for rank in RANKS[16:]:
            row.pop(rank, None)
    actual = {key_of(row): row for row in by_hand.rows(warehouse, "select * from stir.mart_leaderboard")}
    assert_same_rows(actual, expected)


def test_the_world_shows_the_cases_that_go_wrong(warehouse: Client) -> None:
    """Linked creators, losses, returning and new names: without them the comparison proves little."""
    query = """
        select
            countIf(platform = 'ALL' and ia_views > 0 and yt_views > 0) as linked,
            countIf(platform = 'INSTAGRAM' and followers_change < 0) as losses,
            countIf(last_month_ranks['followers_rank'] = 0) as new_names,
            countIf(last_month_ranks['followers_rank'] > 0) as old_names,
            uniqExact(platform) = 3 as all_boards
        from stir.mart_leaderboard
    """
    (seen,) = by_hand.rows(warehouse, query)
    assert all(seen.values()), f"the world lacks a case: {seen}"
