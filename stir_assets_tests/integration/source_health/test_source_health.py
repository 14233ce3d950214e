"""Clock, lateness and volume of a source, on a real ClickHouse; the checks as Dagster gets them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.automation.source_health import build_source_checks, look, source_health_sensor
from stir_assets.core.source_health.judge import Check
from stir_assets.core.source_health.terms import WatchTerms, watch_terms
from stir_assets.core.source_tables import SourceColumn, SourceTable, load_source_tables
from stir_assets.errors import ConfigError
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.settings import SOURCES_DIR, ClickHouseSettings

NOW = datetime(2030, 1, 2, 12, 20, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
TABLE = SourceTable(
    schema="s",
    name="events",
    description="",
    owner="",
    columns=tuple(SourceColumn(name, "DateTime('UTC')", "") for name in ("at", "arrived")),
    engine="MergeTree",
    order_by=("at",),
    event_time="at",
    arrival="arrived",
    freshness={"warn": "30m", "fail": "3h"},
)


class Events:
    """An event table of the test's own database, with the terms that `TABLE` declares."""

    def __init__(self, client: Client) -> None:
        self.client = client
        client.command(
            "CREATE TABLE events (at DateTime('UTC'), arrived DateTime('UTC')) ENGINE = MergeTree ORDER BY at"
        )
        terms = watch_terms(TABLE)
        assert terms is not None
        self.terms = replace(terms, key=f"{client.database}/events")

    def add(self, age: timedelta, *, late: timedelta = timedelta(0), rows: int = 1) -> None:
        at = NOW - age
        self.client.insert("events", [[at, at + late]] * rows, column_names=["at", "arrived"])

    def failed(self, *, at: datetime = NOW) -> dict[Check, str]:
        found = look(self.client, [self.terms], at.timestamp(), volumes=True)
        return {verdict.check: verdict.text for verdict in found[self.terms.key][1] if not verdict.passed}

    def volume(self) -> tuple[bool, str]:
        found = look(self.client, [self.terms], NOW.timestamp(), volumes=True)[self.terms.key][1]
        return next((verdict.passed, verdict.text) for verdict in found if verdict.check is Check.VOLUME)

    def week(self, *rows: int) -> None:
        """Rows of the last full hour (11 to 12), then of the same hour in the weeks before, and some since."""
        for number, count in enumerate(rows):
            self.add(timedelta(minutes=40) + number * WEEK, rows=count)
        self.add(timedelta(minutes=5))


@pytest.fixture
def events(clickhouse: Client) -> Events:
    return Events(clickhouse)


def test_a_source_without_anything_wrong_passes_all_checks(events: Events) -> None:
    events.week(100, 110, 90, 100, 105)
    assert events.failed() == {}


def test_events_from_the_future_fail_the_clock_for_a_day(events: Events) -> None:
    events.add(-timedelta(minutes=4))
    assert events.failed() == {}
    events.add(-timedelta(hours=3), late=-timedelta(hours=3), rows=2)
    assert events.failed() == {Check.CLOCK: "2 events are from the future, up to 3h ahead"}
    assert events.failed(at=NOW + timedelta(hours=2)) == {
        Check.CLOCK: "2 events are from the future, up to 1h ahead"
    }
    assert events.failed(at=NOW + timedelta(hours=25)) == {}


def test_late_rows_fail_only_when_more_than_one_in_twenty_is_late(events: Events) -> None:
    events.add(timedelta(minutes=10), rows=97)
    events.add(timedelta(hours=9), late=timedelta(hours=8, minutes=50), rows=3)
    assert events.failed() == {}
    events.add(timedelta(hours=9), late=timedelta(hours=8, minutes=50), rows=10)
    assert "1 in 20 is more than 8h50m late" in events.failed()[Check.LATE]


@pytest.mark.parametrize(("rows", "unusual"), [(31, False), (29, True), (399, False), (401, True)])
def test_volume_is_compared_with_the_same_hour_of_the_week(events: Events, rows: int, unusual: bool) -> None:
    events.week(rows, 100, 100, 100, 100)
    # The hour before was busier: it is not what this hour is compared with.
    events.add(timedelta(hours=2) + WEEK, rows=2000)
    assert (Check.VOLUME in events.failed()) is unusual


def test_an_hour_that_the_data_has_not_reached_is_not_judged(events: Events) -> None:
    for week in range(1, 5):
        events.add(timedelta(minutes=40) + week * WEEK, rows=100)
    assert events.failed() == {}
    events.add(timedelta(minutes=5))
    assert Check.VOLUME in events.failed()


def test_a_young_or_small_table_has_no_usual_volume_and_says_so(events: Events) -> None:
    events.week(1, 100)
    assert events.volume() == (
        True,
        "not judged: 1 of the 4 weeks before have rows at this hour, 2 are needed",
    )
    events.week(0, 0, 5, 5, 5)
    assert events.volume() == (True, "not judged: 5 rows are usual at this hour of the week, 20 are needed")


def test_rows_updated_in_place_are_counted_once_in_the_hour_they_were_made(clickhouse: Client) -> None:
    table = replace(
        TABLE,
        name="items",
        columns=(
            SourceColumn("id", "Int64", ""),
            SourceColumn("created_at", "Nullable(DateTime('UTC'))", ""),
            SourceColumn("updated_at", "DateTime('UTC')", ""),
        ),
        engine="ReplacingMergeTree(updated_at)",
        order_by=("id",),
        event_time="updated_at",
        arrival=None,
    )
    clickhouse.command(table.create_sql("items"))
    declared = watch_terms(table)
    assert declared is not None
    terms = replace(declared, key=f"{clickhouse.database}/items")

    def write(made: datetime, first: int, rows: int, changed: datetime | None = None) -> None:
        columns = {
            "id": range(first, first + rows),
            "created_at": [made] * rows,
            "updated_at": [changed or made] * rows,
        }
        clickhouse.insert("items", list(zip(*columns.values(), strict=True)), column_names=list(columns))

    def volume() -> tuple[bool, str]:
        (_, verdicts) = look(clickhouse, [terms], NOW.timestamp(), volumes=True)[terms.key]
        return next((verdict.passed, verdict.text) for verdict in verdicts if verdict.check is Check.VOLUME)

    clickhouse.command("SYSTEM STOP MERGES items")
    for week in range(1, 5):
        write(NOW - timedelta(minutes=40) - week * WEEK, 1000 * week, 100)
    write(NOW - timedelta(minutes=40), 0, 40)
    write(NOW - timedelta(minutes=40) - WEEK, 1000, 100, changed=NOW - timedelta(minutes=3))
    assert volume() == (True, "")
    # Ten changes of the same rows are no rows more.
    for _ in range(10):
        write(NOW - timedelta(minutes=40), 0, 40, changed=NOW - timedelta(minutes=2))
    assert volume() == (True, "")
    terms = replace(terms, low=0.5)
    assert volume() == (False, "40 rows in an hour, where 100 are usual at this hour of the week")


def test_a_missing_table_is_left_out(events: Events) -> None:
    assert look(events.client, [replace(events.terms, key="nowhere/x")], NOW.timestamp(), volumes=True) == {}


def test_every_declared_source_parses_and_the_shipped_defaults_are_as_documented() -> None:
    terms = {found.key: found for table in load_source_tables(SOURCES_DIR) if (found := watch_terms(table))}
    assert terms["_e/post_log_events"].late == timedelta(hours=3)
    assert terms["_e/post_log_events"].low == 0.3
    # Updated in place: no arrivals, and rows are counted by when they were made.
    campaign = terms["coffee_replica/campaign"]
    assert (campaign.late, campaign.low, campaign.counts_by, campaign.identity) == (
        None,
        0.3,
        "created_at",
        ("id",),
    )
    assert terms["coffee_stage/post_collection_item"].low is None


@pytest.mark.parametrize(
    ("watch", "message"),
    [
        ({"volumes": "off"}, "watch is"),
        ({"volume": {"low": 2, "high": 4}}, "low < 1 < high"),
        ({"late": "soon"}, "watch.late: 'soon' is not a duration"),
    ],
)
def test_wrong_declarations_name_the_source(watch: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"source s.events.*{message}"):
        watch_terms(replace(TABLE, watch=watch))
    with pytest.raises(ConfigError, match="needs a column created_at"):
        watch_terms(replace(TABLE, engine="ReplacingMergeTree", watch={"volume": "on"}))
    with pytest.raises(ConfigError, match="needs the column of arrival"):
        watch_terms(replace(TABLE, arrival=None, watch={"late": "1h"}))


def test_the_sensor_reports_checks_when_they_change(
    clickhouse: Client, clickhouse_server: ClickHouseSettings
) -> None:
    now = datetime.now(UTC)
    events = Events(clickhouse)
    sources: list[WatchTerms] = [events.terms]
    resource = ClickHouseResource(
        host=clickhouse_server.host,
        port=clickhouse_server.port,
        user=clickhouse_server.user,
        password=clickhouse_server.password,
    )
    key = dg.AssetKey.from_user_string(events.terms.key)
    repository = dg.Definitions(
        assets=[dg.AssetSpec(key)],
        asset_checks=[build_source_checks(sources)],
        sensors=[source_health_sensor(sources)],
        resources={"clickhouse": resource},
    ).get_repository_def()
    cursor: str | None = None
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> list[bool]:
            nonlocal cursor
            context = dg.build_sensor_context(
                instance=instance,
                repository_def=repository,
                cursor=cursor,
                resources={"clickhouse": resource},
            )
            result = repository.get_sensor_def("source_health").evaluate_tick(context)
            cursor = result.cursor
            found = [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
            return [event.passed for event in found if event.check_name == Check.CLOCK]

        clickhouse.insert("events", [[now, now]], column_names=["at", "arrived"])
        assert tick() == [True]
        assert tick() == []
        clickhouse.insert("events", [[now + 2 * HOUR, now]], column_names=["at", "arrived"])
        assert tick() == [False]
