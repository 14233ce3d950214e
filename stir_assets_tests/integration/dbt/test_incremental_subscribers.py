"""Subscriptions: many increments over late, repeated and replayed events give what one full refresh gives."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.dbt.private_project import PROJECT, PrivateProject, private_project

START = datetime(2024, 3, 10, 12, tzinfo=UTC)
STEPS = 4
EVENTS = "yt_profile_relationship_log_events"
MODELS = {"_e": "mart_yt_subscriber", "_stage_e": "mart_yt_subscriber_stage"}
CHANNELS = """
select arrayJoin(['c0', 'c1', 'c2']) as channel_id, 'Gaming' as category, 'Games' as yt_category, 'IN' as country
"""
Row = dict[str, Any]


def event(rng: random.Random, arrived: datetime, scraped: datetime) -> Row:
    return {
        "source_channel_id": f"s{rng.randrange(6)}",
        "target_channel_id": f"c{rng.randrange(6)}",
        "subscribed_on": START - timedelta(days=rng.randrange(900)),
        "event_timestamp": scraped,
        "insert_timestamp": arrived,
    }


def batches() -> list[tuple[datetime, list[Row]]]:
    """What arrives before each run: fresh and late events, one months late, one stamped a year ahead, replays."""
    rng = random.Random(11)
    found: list[tuple[datetime, list[Row]]] = []
    for step in range(STEPS):
        now = START + timedelta(days=step)
        delays = [timedelta(hours=rng.randrange(90)) for _ in range(12)]
        delays += [timedelta(days=100), timedelta(days=-365 if step == 1 else 1)]
        fresh = [event(rng, now - timedelta(minutes=5), now - delay) for delay in delays]
        earlier = [row for _, rows in found for row in rows]
        replayed = [row | {"insert_timestamp": now} for row in rng.sample(earlier, len(earlier) // 2)]
        found.append((now, fresh + replayed + fresh[:3]))
    return found


def subscriptions(client: Client, database: str, model: str) -> list[tuple[Any, ...]]:
    found = client.query(f"select * from {database}.{model} final").result_rows
    return sorted((tuple(row) for row in found), key=str)


@pytest.fixture
def project(
    tmp_path: Path, clickhouse: Client, clickhouse_server: ClickHouseSettings
) -> Iterator[PrivateProject]:
    tables = {schema: [EVENTS] for schema in MODELS}
    made = private_project(
        tmp_path / "project", clickhouse, clickhouse_server, tables, without=("marts", "staging")
    )
    models = made.folder / "models" / "marts" / "data_request"
    shutil.copytree(PROJECT / "models" / "marts" / "data_request", models)
    (models / "mart_youtube_account.sql").write_text(
        "{{ config(order_by='channel_id') }}" + CHANNELS, encoding="utf-8"
    )
    with contextlib.ExitStack() as stack:
        stack.callback(made.drop, clickhouse)
        yield made


def test_four_increments_give_the_rows_of_one_full_refresh(
    clickhouse: Client, project: PrivateProject
) -> None:
    models = " ".join(["mart_youtube_account", *MODELS.values()])
    arrivals = batches()
    for now, rows in arrivals:
        for schema in MODELS:
            values = [list(row.values()) for row in rows]
            clickhouse.insert(EVENTS, values, column_names=list(rows[0]), database=project.source(schema))
        project.run(models, as_of=now.strftime("%Y-%m-%d %H:%M:%S"))
    end = arrivals[-1][0].strftime("%Y-%m-%d %H:%M:%S")
    # A run without news re-reads the look-back and changes nothing.
    project.run(models, as_of=end)
    by_steps = {model: subscriptions(clickhouse, project.database, model) for model in MODELS.values()}
    project.run(models, "--full-refresh", as_of=end)

    for model, found in by_steps.items():
        expected = subscriptions(clickhouse, project.database, model)
        assert len(expected) > 20, f"{model} holds {len(expected)} pairs: too few to prove anything"
        assert found == expected, f"{model}: increments and full refresh differ"
