"""What is noticed of source tables, on a real ClickHouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from stir_assets.automation.data_times import newest_event
from stir_assets.automation.source_watch import Seen, changes, event_of, look

NOW = datetime.now(UTC).replace(microsecond=0)


class Table:
    """A source table of the test's own database."""

    def __init__(self, client: Client, name: str, engine: str = "MergeTree ORDER BY id") -> None:
        self.client, self.name, self.key = client, name, f"{client.database}/{name}"
        client.command(f"CREATE TABLE {name} (id UInt32, at DateTime('UTC')) ENGINE = {engine}")

    def add(self, *ages: timedelta) -> None:
        self.client.insert(self.name, [[1, NOW - age] for age in ages], column_names=["id", "at"])


@pytest.fixture
def table(clickhouse: Client) -> Table:
    return Table(clickhouse, "events")


def seen(table: Table, before: dict[str, Seen] | None = None) -> dict[str, Seen]:
    return look(table.client, [table.key], {table.key: "at"}, before or {})


def test_an_empty_table_is_not_there_yet(table: Table) -> None:
    assert seen(table) == {}


def test_the_newest_event_dates_the_source(table: Table) -> None:
    table.add(timedelta(hours=1), timedelta(minutes=3))
    found = seen(table)[table.key]
    assert found.newest == (NOW - timedelta(minutes=3)).timestamp()
    assert found.rows == 2


def test_an_insert_is_news_and_a_second_look_or_a_merge_is_not(table: Table) -> None:
    table.add(timedelta(hours=1))
    first = seen(table)
    assert changes({}, first) == [table.key]
    assert changes(first, seen(table, first)) == []
    table.add(timedelta(minutes=30))
    second = seen(table, first)
    assert changes(first, second) == [table.key]
    table.client.command(f"OPTIMIZE TABLE {table.name} FINAL")
    assert changes(second, seen(table, second)) == []


def test_late_rows_are_news_though_the_newest_event_stays(table: Table) -> None:
    table.add(timedelta(minutes=1))
    first = seen(table)
    table.add(timedelta(days=3))
    second = seen(table, first)
    assert second[table.key].newest == first[table.key].newest
    assert changes(first, second) == [table.key]


def test_events_from_the_future_do_not_count_and_are_asked_for_again(table: Table) -> None:
    table.add(timedelta(hours=1), -timedelta(hours=2))
    found = seen(table)[table.key]
    assert found.newest == (NOW - timedelta(hours=1)).timestamp()
    assert found.again


def test_a_list_without_event_time_is_news_only_when_it_changes(table: Table) -> None:
    table.add(timedelta(0))
    first = look(table.client, [table.key], {}, {})
    assert first[table.key].newest is None
    assert changes(first, look(table.client, [table.key], {}, first)) == []
    table.client.command(f"TRUNCATE TABLE {table.name}")
    table.add(timedelta(0))
    assert changes(first, look(table.client, [table.key], {}, first)) == [table.key]


def test_a_table_without_parts_is_watched_by_its_events(clickhouse: Client) -> None:
    table = Table(clickhouse, "memory", "Memory")
    table.add(timedelta(hours=1))
    first = seen(table)
    table.add(timedelta(minutes=2))
    assert changes(first, seen(table, first)) == [table.key]


def test_a_source_that_is_gone_dates_nothing_and_fails_nobody_else(table: Table) -> None:
    table.add(timedelta(minutes=3))
    assert newest_event(table.client, table.key, "at") == (NOW - timedelta(minutes=3)).timestamp()
    assert newest_event(table.client, f"{table.client.database}/absent", "at") is None
    with pytest.raises(DatabaseError):
        newest_event(table.client, table.key, "no_such_column")


def test_the_event_carries_version_and_data_time(table: Table) -> None:
    table.add(timedelta(minutes=3))
    found = seen(table)[table.key]
    event = event_of(table.key, found)
    assert list(event.asset_key.path) == table.key.split("/")
    assert (event.tags or {})["dagster/data_version"] == found.version
    assert event.metadata["stir/data_time"].value == (NOW - timedelta(minutes=3)).timestamp()
