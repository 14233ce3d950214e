"""Faults 6 to 8: the client, a backend or the connection dies at the worst moment. The live table stays whole."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import LiteralString

import psycopg
import pytest

from stir_assets.errors import TransientError
from stir_assets.publish.ddl import digest
from stir_assets.publish.errors import PostgresUnavailable
from stir_assets.publish.publication import Progress
from stir_assets.publish.swap import SwapPolicy
from stir_assets.publish.target import Column, Mode, Target
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.cluster import Cluster
from stir_assets_tests.fixtures.s3 import S3
from stir_assets_tests.integration.publish.conftest import (
    PREVIOUS_ONLY,
    TARGET,
    Desk,
    Leftovers,
    new_publisher,
    wait_for,
)
from stir_assets_tests.integration.publish.crash_client import child
from stir_assets_tests.integration.publish.proxy import Moment, Proxy
from stir_assets_tests.integration.publish.readers import Readers

pytestmark = pytest.mark.slow

PHASES = ("preflight", "snapshot", "load", "index", "analyze", "guards", "swap", "cleanup")
# Where a client is killed -> the version that is live then.
DEATHS = {
    "snapshot": 1, "export": 1, "staged": 1, "copy": 1, "index": 1, "analyze": 1, "swap": 1,
    "cleanup": 2, "objects removed": 2, "done": 2,
}  # fmt: skip


def in_mode(mode: Mode) -> Target:
    """The board in a mode; whatever changes is merged, where the mode merges."""
    return replace(TARGET, mode=mode, max_changed=1.0, watermark="version" if mode == "upsert" else None)


@pytest.mark.parametrize(
    ("mode", "phase"),
    [
        *(("rename", phase) for phase in PHASES),
        *(("upsert", phase) for phase in ("load", "compare", "merge")),
    ],
)
def test_06_cancelling_in_any_phase_leaves_nothing_behind(desk: Desk, mode: Mode, phase: str) -> None:
    desk.target = in_mode(mode)
    desk.fill(1)
    desk.publish()
    desk.fill(2)

    def cancel(progress: Progress) -> None:
        if progress.phase == phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.publish(on_progress=cancel)
    version = 2 if phase == "cleanup" else 1
    assert desk.live() == (1000, version, version)
    if phase != "cleanup":
        assert desk.leftovers() == Leftovers()
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == PREVIOUS_ONLY


# Every death of a swap by renaming, and of the other modes those where they do something else.
LATE = ("copy", "swap", "done")


@pytest.mark.parametrize(
    ("mode", "death"),
    [
        *(("rename", death) for death in DEATHS),
        *(("pointer", death) for death in LATE),
        *((mode, death) for mode in ("diff", "upsert") for death in ("copy", "merge", "cleanup", "done")),
    ],
)
def test_06_a_client_killed_anywhere_is_cleared_up_by_the_next(
    desk: Desk, clickhouse_server: ClickHouseSettings, stack_env: dict[str, str], mode: Mode, death: str
) -> None:
    desk.target = target = in_mode(mode)
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    if death == "export":
        slow = Column("name", "text", source="if(sleepEachRow(0.002) = 0, name, '')")
        target = replace(target, columns=(*TARGET.columns[:2], slow))
    with child(desk, clickhouse_server, stack_env, death=death, target=target) as process:
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    version = DEATHS.get(death, 1)
    assert desk.live() == (1000, version, version)
    _leave_an_upload(desk)
    desk.fill(3)
    desk.publish_once_free()
    assert desk.live() == (1000, 3, 3)
    # Behind a pointer the live version stands in the private schema too.
    assert desk.leftovers() == (Leftovers(versions=2) if mode == "pointer" else PREVIOUS_ONLY)


@pytest.mark.parametrize(
    ("mode", "lock"),
    [("rename", "access share mode"), ("upsert", "exclusive mode")],  # what a swap, what a merge waits for
)
def test_06_a_client_killed_in_the_swap_has_swapped_whole_or_not_at_all(
    desk: Desk,
    clickhouse_server: ClickHouseSettings,
    stack_env: dict[str, str],
    mode: Mode,
    lock: LiteralString,
) -> None:
    desk.target = in_mode(mode)
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    patient = SwapPolicy(first_wait=60, max_reader_block=60)
    with psycopg.connect(desk.dsn) as other:
        other.execute(f"lock table public.board in {lock}")
        with child(desk, clickhouse_server, stack_env, policy=patient) as process:
            wait_for(lambda: waiting_for_lock(desk.dsn))
            process.kill()
            process.join()
    # The script was sent whole, so the server goes on without the client.
    wait_for(lambda: desk.live() == (1000, 2, 2))
    desk.fill(3)
    desk.publish_once_free()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == PREVIOUS_ONLY


@pytest.fixture
def fragile(cluster: Cluster, desk: Desk, clickhouse_server: ClickHouseSettings, s3: S3) -> Desk:
    """A desk on a PostgreSQL of its own, whose processes may be killed."""
    return Desk(new_publisher(clickhouse_server, cluster.dsn, s3), desk.client, cluster.dsn, s3)


def test_07_a_killed_backend_restarts_the_server_and_the_live_table_is_whole(
    fragile: Desk, cluster: Cluster
) -> None:
    fragile.fill(1)
    fragile.publish()
    for version, phase in enumerate(("load", "index", "swap"), 2):
        fragile.fill(version)

        def kill(progress: Progress, phase: str = phase) -> None:
            if progress.phase == phase:
                cluster.kill_backend(backend_of_the_publisher(fragile.dsn))

        with pytest.raises(TransientError):
            fragile.publish(on_progress=kill)
        assert fragile.live() == (1000, 1, 1)
        fragile.publish()
        assert fragile.live() == (1000, version, version)
        assert fragile.leftovers() == PREVIOUS_ONLY
        fragile.fill(1)
        fragile.publish()


def test_07_a_backend_killed_inside_the_swap_and_a_crash_right_after_one(
    fragile: Desk, cluster: Cluster, clickhouse_server: ClickHouseSettings
) -> None:
    fragile.fill(1)
    fragile.publish()
    fragile.fill(2)
    patient = new_publisher(
        clickhouse_server, cluster.dsn, fragile.s3, swap=SwapPolicy(first_wait=60, max_reader_block=60)
    )
    failures: list[Exception] = []

    def publish() -> None:
        try:
            patient.publish(TARGET, f"select * from {fragile.client.database}.source", run_id="killed")
        except Exception as error:
            failures.append(error)

    work = threading.Thread(target=publish)
    reader = psycopg.connect(cluster.dsn)
    reader.execute("select 1 from public.board limit 1")
    work.start()
    wait_for(lambda: waiting_for_lock(cluster.dsn))
    cluster.kill_backend(backend_of_the_publisher(cluster.dsn))
    work.join()
    reader.close()
    assert isinstance(failures[0], PostgresUnavailable)
    assert fragile.live() == (1000, 1, 1)
    fragile.publish()
    cluster.stop(signal.SIGKILL)
    cluster.start()
    assert fragile.live() == (1000, 2, 2)
    assert fragile.rows("select relpersistence::text from pg_class where oid = 'public.board'::regclass") == [
        ("p",)
    ]


@pytest.mark.parametrize(("moment", "live"), [("before", 1), ("after", 2)])
def test_08_a_connection_lost_at_the_commit_is_settled_from_the_manifest(
    desk: Desk, clickhouse_server: ClickHouseSettings, moment: Moment, live: int
) -> None:
    desk.fill(1)
    first = desk.publish()
    desk.fill(2)
    with Readers(desk.dsn) as readers, Proxy(desk.dsn, b"$fence$", moment) as proxy:
        lossy = Desk(new_publisher(clickhouse_server, proxy.dsn, desk.s3), desk.client, desk.dsn, desk.s3)
        if moment == "after":
            publication = lossy.publish()
            assert (publication.sequence, publication.previous_version) == (2, first.version)
        else:
            with pytest.raises(PostgresUnavailable):
                lossy.publish()
        assert proxy.cut.is_set()
    readers.assert_whole(1000)
    assert desk.live() == (1000, live, live)
    # Not swapped twice: the fence has counted each publication once.
    assert desk.rows("select seq from stir_publish.target") == [(live,)]
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == PREVIOUS_ONLY


def test_08_a_swap_that_was_reported_as_lost_never_happens_later(
    desk: Desk, clickhouse_server: ClickHouseSettings
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    patient = SwapPolicy(first_wait=60, max_reader_block=60)
    with psycopg.connect(desk.dsn) as reader, Proxy(desk.dsn, b"$fence$", "during") as proxy:
        reader.execute("select 1 from public.board limit 1")
        publisher = new_publisher(clickhouse_server, proxy.dsn, desk.s3, swap=patient)
        with pytest.raises(PostgresUnavailable):
            Desk(publisher, desk.client, desk.dsn, desk.s3).publish()
        assert waiting_for_lock(desk.dsn) == []
    assert desk.live() == (1000, 1, 1)
    desk.publish()
    assert desk.live() == (1000, 2, 2)


def backend_of_the_publisher(dsn: str) -> int:
    """The session that loads and swaps."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select pid from pg_stat_activity where application_name like 'stir-publish:%'"
        ).fetchone()
    assert row is not None
    return row[0]


def waiting_for_lock(dsn: str) -> list[tuple[int]]:
    """Publishers' sessions that wait for a lock."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select pid from pg_stat_activity where application_name like 'stir-publish%' "
            "and wait_event_type = 'Lock' and datname = current_database()"
        ).fetchall()


def _leave_an_upload(desk: Desk) -> None:
    """What a killed writer of a large object leaves: an upload that no listing of objects shows."""
    identity = desk.rows("select id from stir_publish.identity")[0][0]
    run = f"{identity}-{digest(desk.target.name)}-killed"
    key = f"{desk.s3.prefix}/{desk.target.name}/{run}/00000.arrow"
    desk.s3.client.create_multipart_upload(Bucket=desk.s3.bucket, Key=key)
