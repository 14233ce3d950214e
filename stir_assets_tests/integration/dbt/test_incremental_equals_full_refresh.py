"""Incremental staging models: small runs over late, repeated and replayed rows give what one full refresh gives."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.clickhouse import new_database
from stir_assets_tests.integration.dbt.private_project import PrivateProject, private_project

START = datetime(2024, 3, 10, 12, tzinfo=UTC)
STEPS = 4
END = START + timedelta(hours=2 * (STEPS - 1))
LOGS = {
    "asset_log": "created_at",
    "post_activity_log": "timestamp",
    "post_log": "timestamp",
    "profile_log": "timestamp",
    "profile_relationship_log": "timestamp",
}
POSTS = ("instagram_post_simple", "youtube_post_simple")
JOBS = "recent_scrape_request_log"
MODELS = {
    **{table: f"stg_beat_{table}" for table in LOGS},
    "instagram_post_simple": "stg_beat_instagram_post",
    "youtube_post_simple": "stg_beat_youtube_post",
    JOBS: "stg_beat_scrape_request_log",
}
Batch = dict[str, list[dict[str, Any]]]


def log_rows(rng: random.Random, table: str, step: int, now: datetime) -> list[dict[str, Any]]:
    """Thirty new rows: most fresh, some late, one very late, one from the future."""
    delays = [timedelta(minutes=rng.randrange(0, 235)) for _ in range(28)] + [
        timedelta(days=3),
        timedelta(days=-400),
    ]
    entity = {
        "asset_log": "entity_id",
        "profile_log": "profile_id",
        "profile_relationship_log": "target_profile_id",
    }
    return [
        {
            "id": step * 100 + number,
            LOGS[table]: now - delay,
            entity.get(table, "platform_post_id"): f"e{rng.randrange(9)}",
        }
        for number, delay in enumerate(delays)
    ]


def post_rows(rng: random.Random, step: int, now: datetime) -> list[dict[str, Any]]:
    """Twenty new posts, and every earlier one refreshed with new counters within the look-back.

    One is stamped by a clock that is a year ahead: the refreshes of the others must still be read.
    """
    return [
        {
            "id": number,
            "shortcode": f"s{number}",
            "likes": rng.choice([None, 0, rng.randrange(1000)]),
            "updated_at": now + timedelta(days=365)
            if number == 1
            else now - timedelta(minutes=rng.randrange(100)),
        }
        for number in range(1, (step + 1) * 20)
    ]


def job_rows(rng: random.Random, step: int, now: datetime) -> list[dict[str, Any]]:
    """Twenty new jobs, and the end of those of the step before; some end in the second they were asked for."""
    asked = [
        {
            "id": step * 100 + number,
            "status": "PENDING",
            "scraped_at": None,
            "created_at": job_time(step, number),
        }
        for number in range(20)
    ]
    ended = [
        {
            "id": (step - 1) * 100 + number,
            "status": rng.choice(["FAILED", "COMPLETE"]),
            "scraped_at": job_time(step - 1, number) if number % 5 == 0 else now - timedelta(minutes=number),
            "created_at": job_time(step - 1, number),
        }
        for number in range(20)
        if step > 0
    ]
    return asked + ended


def job_time(step: int, number: int) -> datetime:
    return START + timedelta(hours=2 * step) - timedelta(minutes=number)


def batches() -> list[tuple[datetime, Batch]]:
    """What arrives before each run. From the second on, half of the rows that came before come again."""
    rng = random.Random(7)
    found: list[tuple[datetime, Batch]] = []
    for step in range(STEPS):
        now = START + timedelta(hours=2 * step)
        batch: Batch = {table: log_rows(rng, table, step, now) for table in LOGS}
        batch |= {table: post_rows(rng, step, now) for table in POSTS}
        batch[JOBS] = job_rows(rng, step, now)
        for table, rows in batch.items():
            earlier = [row for _, old in found for row in old[table]]
            rows += rng.sample(earlier, len(earlier) // 2)
        found.append((now, batch))
    return found


def insert(client: Client, database: str, batch: Batch) -> None:
    for table, rows in batch.items():
        columns = list(rows[0])
        values = [[row[column] for column in columns] for row in rows]
        client.insert(table, values, column_names=columns, database=database)


def merged_rows(client: Client, database: str, model: str) -> list[Sequence[Any]]:
    return sorted(client.query(f"select * from {database}.{model} final").result_rows, key=str)


@pytest.fixture(scope="module")
def client(clickhouse_server: ClickHouseSettings) -> Iterator[Client]:
    with new_database(clickhouse_server) as client:
        yield client


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, client: Client, clickhouse_server: ClickHouseSettings
) -> Iterator[PrivateProject]:
    """One for all tests here, because to parse it takes seconds: each begins with empty sources and a full refresh."""
    made = private_project(
        tmp_path_factory.mktemp("incremental") / "project",
        client,
        clickhouse_server,
        {"beat_replica": list(MODELS)},
        without=("marts", "coffee"),
    )
    with contextlib.ExitStack() as stack:
        stack.callback(made.drop, client)
        yield made


def test_four_increments_give_the_rows_of_one_full_refresh(client: Client, project: PrivateProject) -> None:
    project.empty_sources(client)
    models = " ".join(MODELS.values())
    for step, (now, batch) in enumerate(batches()):
        insert(client, project.source("beat_replica"), batch)
        first = ("--full-refresh",) if step == 0 else ()
        project.run(models, *first, as_of=now.strftime("%Y-%m-%d %H:%M:%S"))
    by_steps = {model: merged_rows(client, project.database, model) for model in MODELS.values()}
    project.run(models, "--full-refresh", as_of=END.strftime("%Y-%m-%d %H:%M:%S"))

    for model, found in by_steps.items():
        expected = merged_rows(client, project.database, model)
        assert expected, f"{model} is empty: nothing was compared"
        assert found == expected, f"{model}: increments and full refresh differ"


def test_an_increment_reads_only_what_can_be_new(client: Client, project: PrivateProject) -> None:
    """Equality alone would also hold for a model that reads everything every time."""
    project.empty_sources(client)
    model = MODELS["post_activity_log"]
    old = [
        {"id": number, "timestamp": START - timedelta(days=number), "platform_post_id": "p"}
        for number in range(1, 50)
    ]
    insert(client, project.source("beat_replica"), {"post_activity_log": old})
    project.run(model, "--full-refresh", as_of="2024-03-10")
    project.run(model, as_of="2024-03-10")
    count = f"select count() from {project.database}.{model}"
    stored = client.query(count, settings={"final": 0}).result_rows[0][0]
    assert stored <= len(old) + 1
