"""mart_collection_post, computed a second time in plain Python from items, events and links."""

from __future__ import annotations

from typing import Any

import yaml
from clickhouse_connect.driver.client import Client

from stir_assets.settings import DBT_PROJECT_DIR
from stir_assets_tests.integration.dbt import collection_posts_by_hand as by_hand
from stir_assets_tests.integration.dbt.comparing_rows import assert_same_rows
from stir_assets_tests.integration.dbt.series_by_hand import rows


def public_addresses() -> dict[str, str]:
    """The addresses of the project's vars: settings, not something to compute."""
    project_vars = yaml.safe_load((DBT_PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    return {
        "cdn": project_vars["cdn_base_url"],
        "instagram": project_vars["instagram_post_url"],
        "youtube": project_vars["youtube_video_url"],
    }


def expected_rows(client: Client) -> dict[tuple[Any, ...], dict[str, Any]]:
    world, addresses = by_hand.load(client), public_addresses()
    found = {}
    for item in rows(client, "select * from stir.stg_coffee_post_collection_item where enabled"):
        key = (item["platform"], item["post_collection_id"], item["short_code"])
        found["POST", *key] = by_hand.summary_of(world, *key, item, addresses)
    for key in by_hand.tracked_profile_posts(client, world):
        found["PROFILE", *key] = by_hand.summary_of(world, *key, None, addresses)
    return found


def test_every_row_and_figure_agrees_with_a_computation_from_the_sources(warehouse: Client) -> None:
    actual = {
        (row["collection_type"], row["platform"], row["collection_id"], row["post_short_code"]): row
        for row in rows(warehouse, "select * from stir.mart_collection_post")
    }
    assert_same_rows(actual, expected_rows(warehouse))


def test_the_world_shows_the_cases_that_go_wrong(warehouse: Client) -> None:
    """The comparison proves little on a world without these rows."""
    query = """
        select
            countIf(post_type = 'story' and reach > 0) as stories,
            countIf(link_clicks > 0 and orders > 0) as sold,
            countIf(collection_type = 'PROFILE' and platform = 'INSTAGRAM') as tracked_posts,
            countIf(platform = 'YOUTUBE' and collection_type = 'POST') as videos,
            countIf(total_engagement > likes + comments) as fallen,
            (select count() from stir.mart_fake_events) as rejected,
            (select countIf(real_reach > 0) from stir.mart_collection_post_ts) as reported
        from stir.mart_collection_post
    """
    (seen,) = rows(warehouse, query)
    assert all(seen.values()), f"the world lacks a case: {seen}"
