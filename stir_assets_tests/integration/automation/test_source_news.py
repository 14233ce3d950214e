"""News of a source table and the run that it makes due: one tick of the sensor, on a real ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client
from dagster._core.test_utils import freeze_time

from stir_assets.automation.sensors import freshness_sensor
from stir_assets.automation.source_watch import SourceWatch
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.automation.simulated import asset

NOW = datetime.now(UTC).replace(microsecond=0)
WINDOW = {"warn": "15m", "fail": "30m"}


class Place:
    """A source table and its reader, with the sensor of a process that can be started anew."""

    def __init__(self, client: Client, settings: ClickHouseSettings) -> None:
        self.client, self.key = client, f"{client.database}/events"
        client.command("CREATE TABLE events (id UInt32, at DateTime('UTC')) ENGINE = MergeTree ORDER BY id")
        self.resource = ClickHouseResource(
            host=settings.host, port=settings.port, user=settings.user, password=settings.password
        )
        self.instance = dg.DagsterInstance.ephemeral()
        self.start_process()

    def start_process(self) -> None:
        watch = SourceWatch([self.key], {self.key: "at"})
        definitions = dg.Definitions(
            assets=[dg.AssetSpec(self.key.split("/")), asset("mart", [self.key], WINDOW)],
            sensors=[freshness_sensor(watch)],
            executor=dg.in_process_executor,
        )
        self.repository = definitions.get_repository_def()
        self.cursor: str | None = None

    def add(self, age: timedelta) -> None:
        self.client.insert("events", [[1, NOW - age]], column_names=["id", "at"])

    def tick(self, at: datetime = NOW) -> dg.SensorResult:
        with freeze_time(at):
            context = dg.build_sensor_context(
                instance=self.instance,
                repository_def=self.repository,
                cursor=self.cursor,
                resources={"clickhouse": self.resource},
            )
            result = self.repository.get_sensor_def("freshness").evaluate_tick(context)
        self.cursor = result.cursor
        return result  # pyright: ignore[reportReturnType]

    def build(self) -> None:
        job = self.repository.get_implicit_global_asset_job_def()
        with freeze_time(NOW):
            assert job.execute_in_process(
                instance=self.instance, asset_selection=[dg.AssetKey("mart")]
            ).success

    def events(self) -> int:
        key = dg.AssetKey(self.key.split("/"))
        return len(self.instance.fetch_materializations(key, limit=100).records)


@pytest.fixture
def place(clickhouse: Client, clickhouse_server: ClickHouseSettings) -> Place:
    return Place(clickhouse, clickhouse_server)


def test_news_is_reported_and_decided_on_in_one_tick(place: Place) -> None:
    place.add(timedelta(hours=1))
    place.build()
    assert not place.tick().run_requests
    place.add(timedelta(minutes=1))
    [request] = place.tick(NOW + timedelta(minutes=20)).run_requests or ()
    assert request.asset_selection == [dg.AssetKey("mart")]
    assert place.events() == 2


def test_a_new_process_reports_nothing_twice(place: Place) -> None:
    place.add(timedelta(hours=1))
    place.tick()
    place.start_process()
    place.tick()
    assert place.events() == 1
    place.add(timedelta(minutes=1))
    place.tick()
    assert place.events() == 2


def test_decisions_go_on_while_clickhouse_is_away_and_news_is_seen_when_it_is_back(place: Place) -> None:
    place.add(timedelta(hours=1))
    place.tick()
    right = place.resource
    place.start_process()
    place.resource = ClickHouseResource(host=right.host, port=1, user=right.user, password=right.password)
    assert [set(request.asset_selection or ()) for request in place.tick().run_requests or ()] == [
        {dg.AssetKey("mart")}
    ]
    place.add(timedelta(minutes=1))
    place.resource = right
    place.tick()
    assert place.events() == 2
