"""Fault 22, and the replica of fault 24: a real streaming standby with somebody reading on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stir_assets.publish.errors import PostgresRefused, PreflightError
from stir_assets.publish.target import Mode
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.cluster import Cluster
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher, wait_for


@pytest.fixture
def primary(cluster: Cluster, desk: Desk, clickhouse_server: ClickHouseSettings) -> Desk:
    """A desk on a primary of its own."""
    return Desk(new_publisher(clickhouse_server, cluster.dsn, desk.s3), desk.client, cluster.dsn, desk.s3)


@pytest.fixture
def standby(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """Its hot standby, which lets a query delay replay for a second and then cancels it.

    With feedback, as a standby for readers has it: without, any clean-up of old rows on the primary, whoever did
    it, ends the standby's queries, also those that read other tables.
    """
    replica = cluster.replica(
        tmp_path / "standby",
        max_standby_streaming_delay="1s",
        hot_standby_feedback="on",
        wal_receiver_status_interval="1s",
    )
    feedback = "select 1 from pg_stat_replication where backend_xmin is not null"
    with psycopg.connect(cluster.dsn, autocommit=True) as connection:
        wait_for(lambda: connection.execute(feedback).fetchone())
    yield replica
    replica.stop()


@pytest.mark.parametrize("mode", ["rename", "pointer"])
def test_22_a_long_query_on_a_standby(primary: Desk, standby: Cluster, mode: Mode) -> None:
    primary.fill(1)
    first = primary.publish(mode=mode)
    wait_for(lambda: _on(standby, "select max(version) from public.board") == [(1,)])
    primary.fill(2)
    with psycopg.connect(standby.dsn) as reader:
        cursor = reader.cursor("half_read")
        cursor.execute("select version from public.board")
        assert cursor.fetchmany(10) == [(1,)] * 10
        primary.publish(mode=mode)
        assert primary.live() == (1000, 2, 2)
        # The old version is dropped by the next publication, not by this one: its readers are still there.
        assert primary.rows(f"select count(*) from stir_publish.{first.version}") == [(1000,)]
        if mode == "pointer":  # replayed at once, while the query goes on and ends well
            wait_for(lambda: _on(standby, "select max(version) from public.board") == [(2,)])
            assert cursor.fetchall() == [(1,)] * 990
        else:  # the exclusive lock is replayed too: after its second the standby ends what is in the way
            wait_for(lambda: _on(standby, "select max(version) from public.board") == [(2,)])
            with pytest.raises(psycopg.OperationalError, match="conflict with recovery"):
                cursor.fetchall()
    assert _on(standby, "select count(*), max(version) from public.board") == [(1000, 2)]


def test_24_a_read_only_replica_as_target_is_refused(
    primary: Desk, standby: Cluster, clickhouse_server: ClickHouseSettings
) -> None:
    primary.fill(1)
    primary.publish()
    wait_for(lambda: _on(standby, "select max(version) from public.board") == [(1,)])
    primary.fill(2)
    publisher = new_publisher(clickhouse_server, standby.dsn, primary.s3)
    with pytest.raises((PreflightError, PostgresRefused), match="read-only replica"):
        publisher.publish(TARGET, f"select * from {primary.client.database}.source", run_id="wrong")
    assert _on(standby, "select count(*), max(version) from public.board") == [(1000, 1)]


def _on(cluster: Cluster, query: str) -> list[tuple[object, ...]]:
    """Rows of a query on the standby; none while the table has not arrived."""
    try:
        with psycopg.connect(cluster.dsn, autocommit=True) as connection:
            return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType]
    except psycopg.errors.UndefinedTable:
        return []
