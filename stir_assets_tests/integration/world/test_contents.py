"""What the built world holds: every table, consistent, in character, with the cases the models look for."""

from __future__ import annotations

import pytest

from stir_assets.world.build import row_counts
from stir_assets.world.flows import REQUESTED_FLOWS
from stir_assets.world.schema import check_columns, existing_columns, source_table, source_tables
from stir_assets_tests.integration.world.conftest import NOW, World

# Rows of the left side whose key is unknown on the right side.
REFERENCES = {
    "instagram events to accounts": (
        "_e.profile_log_events WHERE platform = 'INSTAGRAM' AND source NOT LIKE 'openapi%'",
        "profile_id",
        "beat_replica.instagram_account",
        "profile_id",
    ),
    "estimates to handles": (
        "_e.profile_log_events WHERE source LIKE 'openapi%v0.11'",
        "profile_id", "beat_replica.instagram_account", "handle",
    ),
    "channel events to channels": (
        "_e.profile_log_events WHERE platform = 'YOUTUBE'", "handle", "beat_replica.youtube_account", "channel_id",
    ),
    "post events to posts": (
        "_e.post_log_events WHERE platform = 'INSTAGRAM' AND event_timestamp <= insert_timestamp",
        "shortcode", "beat_replica.instagram_post_simple", "shortcode",
    ),
    "video events to videos": (
        "_e.post_log_events WHERE platform = 'YOUTUBE' AND event_timestamp <= insert_timestamp",
        "shortcode", "beat_replica.youtube_post_simple", "shortcode",
    ),
    "posts to accounts": (
        "beat_replica.instagram_post_simple", "profile_id", "beat_replica.instagram_account", "profile_id",
    ),
    "videos to channels": (
        "beat_replica.youtube_post_simple", "channel_id", "beat_replica.youtube_account", "channel_id",
    ),
    "items to collections": (
        "coffee_replica.post_collection_item", "post_collection_id", "coffee_replica.post_collection", "id",
    ),
    "members to collections": (
        "coffee_replica.profile_collection_item", "profile_collection_id", "coffee_replica.profile_collection", "id",
    ),
    "app accounts to profiles": (
        "coffee_replica.view_instagram_account_lite", "ig_id", "beat_replica.instagram_account", "profile_id",
    ),
    "follower targets to accounts": (
        "beat_replica.profile_relationship_log", "target_profile_id", "beat_replica.instagram_account", "profile_id",
    ),
    "campaigns to collections": (
        "coffee_replica.campaign", "post_collection_id", "coffee_replica.post_collection", "id",
    ),
    "clicks to sponsor links": (
        "dbt.mart_link_clicks", "concat('https://', url)", "coffee_replica.post_collection_item",
        "JSONExtractString(ifNull(sponsor_links, '[]'), 1)",
    ),
}  # fmt: skip


def test_every_source_table_has_rows(world: World) -> None:
    empty = [key for key, count in row_counts(world.client).items() if count == 0]
    assert not empty


def test_the_tables_are_what_the_declarations_say(world: World) -> None:
    existing = existing_columns(world.client)
    for table in source_tables():
        check_columns(table, existing[table.key])
        stored = world.client.query(
            "SELECT engine_full FROM system.tables WHERE database = {d:String} AND name = {n:String}",
            parameters={"d": table.schema, "n": table.name},
        ).result_rows[0][0]
        assert stored.startswith(table.engine.replace("()", "")), table.key


@pytest.mark.parametrize("name", REFERENCES)
def test_references_hold(world: World, name: str) -> None:
    left, key, right, other = REFERENCES[name]
    where = left.replace(" WHERE", " FINAL WHERE") if "beat_replica" in left else left
    table, _, condition = where.partition(" WHERE ")
    clause = f"WHERE {condition} AND" if condition else "WHERE"
    total, orphans = world.client.query(
        f"SELECT count(), countIf(({key}) NOT IN (SELECT {other} FROM {right})) FROM {table} {clause} 1"
    ).result_rows[0]
    assert total > 0
    # A post whose only scrape arrives late has its event before its row, or the other way round.
    assert orphans <= total * (0.002 if "events to" in name else 0)


def test_all_28_flows_run_through_all_states(world: World) -> None:
    rows = world.client.query(
        "SELECT flow, groupUniqArray(status) FROM _e.scrape_request_log_events GROUP BY flow"
    ).result_rows
    flows = {flow: set(states) for flow, states in rows}
    assert set(REQUESTED_FLOWS) <= set(flows)
    for flow in REQUESTED_FLOWS:
        assert {"PENDING", "PROCESSING"} <= flows[flow], flow
    statuses = world.client.query(
        "SELECT DISTINCT status FROM beat_replica.recent_scrape_request_log FINAL"
    ).result_columns[0]
    assert {"COMPLETE", "FAILED"} <= set(statuses)
    prefixes = world.client.query(
        "SELECT DISTINCT substring(data, 1, 4) FROM beat_replica.recent_scrape_request_log WHERE status = 'FAILED'"
    ).result_columns[0]
    assert {"(204", "(409", "(429", "(500", "'Non"} <= set(prefixes)


def test_a_complete_profile_request_has_a_scrape_at_its_end(world: World) -> None:
    total, useful = world.client.query(
        """
        SELECT count(), countIf((JSONExtractString(params, 'handle'), scraped_at) IN
            (SELECT handle, event_timestamp FROM _e.profile_log_events WHERE platform = 'INSTAGRAM'))
        FROM beat_replica.recent_scrape_request_log FINAL
        WHERE flow = 'refresh_profile_by_handle' AND status = 'COMPLETE'
            AND scraped_at < (SELECT max(scraped_at) FROM beat_replica.recent_scrape_request_log) - INTERVAL 2 DAY
        """
    ).result_rows[0]
    assert total > 100
    # The rest are scrapes whose event carries a clock that runs ahead.
    assert useful >= total * 0.99


def test_counters_grow_and_few_readings_are_broken(world: World) -> None:
    pairs, falls = world.client.query(
        """
        SELECT count(), countIf(likes < before) FROM (
            SELECT toInt64OrZero(JSONExtractString(metrics, 'likes')) + JSONExtractInt(metrics, 'likes') AS likes,
                lagInFrame(likes) OVER (PARTITION BY shortcode ORDER BY event_timestamp) AS before
            FROM _e.post_log_events WHERE platform = 'INSTAGRAM' AND source != 'graphapi')
        """
    ).result_rows[0]
    assert pairs > 10_000
    assert 0 < falls < pairs * 0.03


def test_followers_follow_a_power_law(world: World) -> None:
    median, p99, top = world.client.query(
        "SELECT quantile(0.5)(followers), quantile(0.99)(followers), max(followers)"
        " FROM beat_replica.instagram_account FINAL"
    ).result_rows[0]
    assert p99 > 20 * median
    assert top > p99


def test_profiles_with_few_and_with_many_posts_exist(world: World) -> None:
    few, many = world.client.query(
        "SELECT countIf(n < 5), countIf(n > 12) FROM (SELECT count() AS n FROM beat_replica.instagram_post_simple FINAL"
        " WHERE post_type != 'story' GROUP BY profile_id)"
    ).result_rows[0]
    assert few > 5
    assert many > 50


def test_private_profiles_are_known_and_show_no_posts(world: World) -> None:
    private, posts = world.client.query(
        "SELECT count(), countIf(profile_id IN (SELECT profile_id FROM beat_replica.instagram_post_simple))"
        " FROM beat_replica.instagram_account FINAL WHERE is_private"
    ).result_rows[0]
    assert private > 0
    assert posts == 0


@pytest.mark.parametrize(
    ("mortal", "events", "key"),
    [
        ("stir_world.ig_profile", "_e.profile_log_events", "profile_id"),
        ("stir_world.post", "_e.post_log_events", "shortcode"),
    ],
)
def test_what_is_deleted_falls_silent(world: World, mortal: str, events: str, key: str) -> None:
    deleted, after = world.client.query(
        f"""
        SELECT uniqExact(m.{key}), countIf(toUnixTimestamp(e.event_timestamp) > m.gone)
        FROM (SELECT {key}, gone FROM {mortal} WHERE gone > 0 AND gone < {int(NOW.timestamp()) - 86_400}) AS m
        INNER JOIN {events} AS e ON e.{key} = m.{key}
        -- Nothing scraped after the end; a wrong clock is no scrape, nor is a language model's answer.
        WHERE e.event_timestamp <= e.insert_timestamp AND e.source NOT LIKE 'openapi%'
        """
    ).result_rows[0]
    assert deleted > 0
    assert after == 0


def test_few_posts_go_viral(world: World) -> None:
    posts, viral = world.client.query(
        """
        SELECT count(), countIf(likes > 6 * usual) FROM (
            SELECT likes, quantileExact(0.5)(likes) OVER (PARTITION BY profile_id) AS usual
            FROM beat_replica.instagram_post_simple FINAL
            WHERE post_type != 'story' AND publish_time < (SELECT max(publish_time) - 1209600
                FROM beat_replica.instagram_post_simple))
        """
    ).result_rows[0]
    assert 0 < viral < posts * 0.05


def test_creators_post_at_rhythms_of_their_own(world: World) -> None:
    rare, often = world.client.query(
        """
        SELECT quantile(0.9)(gap), quantile(0.1)(gap) FROM (
            SELECT (max(toUnixTimestamp(publish_time)) - min(toUnixTimestamp(publish_time))) / (count() - 1) AS gap
            FROM beat_replica.instagram_post_simple FINAL GROUP BY profile_id HAVING count() > 5)
        """
    ).result_rows[0]
    assert rare > 4 * often


@pytest.mark.parametrize("days", [1, 7, 30, 90, 180, 270])
def test_windows_back_from_now_are_never_empty(world: World, days: int) -> None:
    start = int(NOW.timestamp()) - days * 86_400
    for table, column in (
        ("_e.post_log_events", "event_timestamp"),
        ("_e.profile_log_events", "event_timestamp"),
        ("beat_replica.instagram_post_simple", "publish_time"),
        ("beat_replica.youtube_post_simple", "published_at"),
    ):
        count = world.client.command(
            f"SELECT count() FROM {table} WHERE {column} BETWEEN toDateTime({start}) AND toDateTime({start + 86_400})"
        )
        assert int(str(count)) > 0, (table, days)


def test_late_repeated_and_impossible_events_exist(world: World) -> None:
    late, ahead, early, repeated = world.client.query(
        """
        SELECT countIf(insert_timestamp > event_timestamp + 3600 AND event_timestamp >= publish_time),
            countIf(event_timestamp > insert_timestamp + 86400),
            countIf(event_timestamp < publish_time),
            count() - uniqExact(event_id)
        FROM _e.post_log_events
        """
    ).result_rows[0]
    assert min(late, ahead, early, repeated) > 0


def test_nothing_arrives_after_now(world: World) -> None:
    for table in source_tables():
        if table.arrival:
            newest = world.client.command(f"SELECT toUnixTimestamp(max({table.arrival})) FROM {table.quoted}")
            assert int(str(newest)) <= NOW.timestamp(), table.key


def test_live_sources_are_fresh_at_now(world: World) -> None:
    """A new world must not start with stale replicas: each stream has rows of the last day."""
    for key in ("_e.post_log_events", "_e.profile_log_events", "_e.scrape_request_log_events"):
        column = source_table(key).loaded_at_field
        newest = world.client.command(f"SELECT toUnixTimestamp(max({column})) FROM {key}")
        assert NOW.timestamp() - int(str(newest)) < 7_200, key


def test_product_tables_agree_with_the_replicas(world: World) -> None:
    for table, database in (
        ("public.instagram_account", "coffee_replica.view_instagram_account_lite"),
        ("public.youtube_account", "coffee_replica.view_youtube_account_lite"),
        ("public.post_collection_item", "coffee_replica.post_collection_item"),
        ("public.post_collection", "coffee_replica.post_collection"),
        ("public.profile_collection", "coffee_replica.profile_collection"),
        ("staging.instagram_account", "coffee_stage.view_instagram_account_lite"),
        ("staging.post_collection_item", "coffee_stage.post_collection_item"),
    ):
        in_postgres = {str(row[0]) for row in world.connection.execute(f"select id from {table}").fetchall()}
        in_clickhouse = {
            str(row[0]) for row in world.client.query(f"SELECT id FROM {database} FINAL").result_rows
        }
        assert in_postgres == in_clickhouse != set(), table


@pytest.mark.parametrize(
    ("replica", "key", "events", "event_key"),
    [
        ("beat_replica.instagram_account", "profile_id", "_e.profile_log_events", "profile_id"),
        ("beat_replica.youtube_account", "channel_id", "_e.profile_log_events", "profile_id"),
        ("beat_replica.instagram_post_simple", "shortcode", "_e.post_log_events", "shortcode"),
        ("beat_replica.youtube_post_simple", "shortcode", "_e.post_log_events", "shortcode"),
    ],
)
def test_a_replica_row_is_the_state_at_the_last_scrape(
    world: World, replica: str, key: str, events: str, event_key: str
) -> None:
    rows, same = world.client.query(
        f"""
        SELECT count(), countIf(r.updated_at = e.newest) FROM {replica} AS r FINAL
        INNER JOIN (SELECT {event_key} AS key, max(event_timestamp) AS newest FROM {events}
            WHERE source NOT LIKE 'openapi%' AND event_timestamp <= insert_timestamp GROUP BY key) AS e
            ON r.{key} = e.key
        """
    ).result_rows[0]
    assert rows > 100
    # The rest: the newest event is still on its way or carries a wrong clock.
    assert same >= rows * 0.98
