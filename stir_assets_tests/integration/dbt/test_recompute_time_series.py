"""mart_time_series, computed a second time in plain Python from the source rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from clickhouse_connect.driver.client import Client

from stir_assets_tests.integration.dbt import series_by_hand as by_hand
from stir_assets_tests.integration.dbt.comparing_rows import assert_same_rows

NO_POST_FIGURES = {
    "likes": 0,
    "comments": 0,
    "engagement": 0,
    "plays": 0,
    "plays_total": 0,
    "following": 0,
    "avg_views": 0,
    "avg_likes": 0,
    "avg_comments": 0,
    "avg_plays": 0,
    "engagement_rate": 0,
}


def instagram_rows(client: Client, monthly: bool) -> dict[tuple[Any, ...], dict[str, Any]]:
    model = "mart_insta_account_monthly" if monthly else "mart_insta_account_weekly"
    start_of, before = (
        (by_hand.month_start, by_hand.month_before) if monthly else (by_hand.week_start, by_hand.week_before)
    )
    query = "select ig_id from stir.mart_instagram_account where country = 'IN'"
    market = {row["ig_id"] for row in by_hand.rows(client, query)}
    periods = by_hand.instagram_periods(client, by_hand.built_at(client, model), start_of, before)
    found = {}
    for (profile, start), period in periods.items():
        if profile not in market:
            continue
        posted = period.posts > 0
        found["INSTAGRAM", profile, monthly, start] = {
            "p_date": period.previous,
            "views_total": 0,
            "views": 0,
            "likes": period.likes if posted else None,
            "comments": period.comments if posted else None,
            "engagement": period.likes + period.comments if posted else None,
            "plays": period.plays if posted else None,
            "plays_total": period.plays_total,
            "followers": period.followers,
            "following": period.following,
            "avg_views": period.per_post(period.views),
            "avg_likes": period.per_post(period.likes),
            "avg_comments": period.per_post(period.comments),
            "avg_plays": period.per_post(period.plays),
            "engagement_rate": period.engagement_rate,
            "uploads": period.posts,
            "followers_change": period.followers_change,
        }
    return found


def youtube_rows(
    client: Client,
    points: dict[tuple[str, date], by_hand.Counters],
    before: Callable[[date], date],
    monthly: bool,
) -> dict[tuple[Any, ...], dict[str, Any]]:
    query = "select channelid from stir.mart_youtube_account where country = 'IN'"
    market = {row["channelid"] for row in by_hand.rows(client, query)}
    found = {}
    for channel, start, now, previous, then, consecutive in by_hand.with_previous(points, before):
        if channel not in market:
            continue
        gains: list[int | None] = [None, None, None]
        if then is not None and consecutive:
            differences = [by_hand.gain(a, b) for a, b in zip(now, then, strict=True)]
            gains = [None if value is None else max(value, 0) for value in differences]
        found["YOUTUBE", channel, monthly, start] = NO_POST_FIGURES | {
            "p_date": previous,
            "views_total": max(now[0], 0),
            "views": gains[0] or 0,
            "followers": now[1],
            "uploads": gains[2],
            "followers_change": gains[1],
        }
    return found


def test_every_row_and_figure_agrees_with_a_computation_from_the_sources(warehouse: Client) -> None:
    months = by_hand.youtube_months(warehouse, by_hand.built_at(warehouse, "mart_yt_leaderboard_base_raw"))
    weeks, early = by_hand.youtube_weeks(warehouse, by_hand.built_at(warehouse, "mart_yt_account_weekly"))
    expected = (
        instagram_rows(warehouse, monthly=True)
        | instagram_rows(warehouse, monthly=False)
        | youtube_rows(warehouse, months, by_hand.month_before, monthly=True)
        | youtube_rows(warehouse, early, by_hand.month_before, monthly=False)
        | youtube_rows(warehouse, weeks, by_hand.week_before, monthly=False)
    )
    actual = {
        (row["platform"], row["platform_id"], row["monthly_stats"], row["date"]): row
        for row in by_hand.rows(warehouse, "select * from stir.mart_time_series")
    }
    assert_same_rows(actual, expected)


def test_the_world_shows_the_cases_that_go_wrong(warehouse: Client) -> None:
    """The comparison proves little on a world without first periods, gaps and losses."""
    query = """
        select
            countIf(p_date is null) as first_periods,
            countIf(p_date is not null and followers_change is null) as gaps,
            countIf(platform = 'INSTAGRAM' and followers_change < 0) as losses,
            countIf(platform = 'INSTAGRAM' and likes is null) as periods_without_posts
        from stir.mart_time_series
    """
    (seen,) = by_hand.rows(warehouse, query)
    assert all(seen.values()), f"the world lacks a case: {seen}"
