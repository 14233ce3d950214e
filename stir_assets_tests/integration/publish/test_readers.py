"""Faults 1 to 5: what readers of the live table feel while it is published."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from stir_assets.local.engine_postgres import bundled_binaries
from stir_assets.publish.errors import SwapTimeout
from stir_assets.publish.publication import Progress, Publication
from stir_assets.publish.swap import SwapPolicy
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import Desk, new_publisher
from stir_assets_tests.integration.publish.readers import Readers

# Well above the 300 ms that the tests' publisher may block a reader, well below the seconds of an unbounded swap.
READER_LIMIT = 1500


@pytest.mark.slow
def test_01_eight_prepared_readers_under_a_hundred_publications(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    with Readers(desk.dsn, count=8, lock_timeout=READER_LIMIT, pause=0.1) as readers:
        for version in range(2, 102):
            desk.fill(version)
            desk.publish()
    readers.assert_whole(1000, at_least=100)
    assert desk.live() == (1000, 101, 101)
    print(f"{sum(map(len, readers.seen))} reads, worst stall {readers.worst_stall * 1000:.0f} ms")


def test_02_long_reader_transactions_cost_others_no_more_than_the_limit(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    with (
        long_transactions(desk.dsn, seconds=5.0) as pids,
        Readers(desk.dsn, lock_timeout=READER_LIMIT) as readers,
        pytest.raises(SwapTimeout) as timeout,
    ):
        desk.publish()
    readers.assert_whole(1000)
    assert desk.live() == (1000, 1, 1)
    assert {blocker.pid for blocker in timeout.value.blockers} & pids
    assert f"pid {timeout.value.blockers[0].pid}" in str(timeout.value)


def test_03_an_idle_transaction_delays_the_swap_but_no_reader_and_needs_no_second_export(
    desk: Desk, clickhouse_server: ClickHouseSettings
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    patient = replace(
        desk,
        publisher=new_publisher(
            clickhouse_server, desk.dsn, desk.s3, swap=SwapPolicy(max_reader_block=0.3, pause=(0.05, 0.1))
        ),
    )
    gave_way, phases = threading.Event(), []

    def follow(progress: Progress) -> None:
        phases.append(progress.phase)
        if "attempt 4 gave way" in progress.message:
            gave_way.set()

    finished: list[Publication] = []
    work = threading.Thread(target=lambda: finished.append(patient.publish(on_progress=follow)))
    with Readers(desk.dsn, lock_timeout=READER_LIMIT) as readers:
        with psycopg.connect(desk.dsn) as idle:
            idle.execute("select 1 from public.board limit 1")
            work.start()
            assert gave_way.wait(60)
            assert desk.live() == (1000, 1, 1)
        work.join()
    readers.assert_whole(1000)
    assert desk.live() == (1000, 2, 2)
    assert finished[0].swap_attempts > 4
    assert phases.count("snapshot") == 1


def test_04_a_snapshot_older_than_the_load_never_reads_an_empty_table(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    with psycopg.connect(desk.dsn) as old:
        old.execute("set transaction isolation level repeatable read")
        old.execute("select 1 from pg_class limit 1")  # takes the snapshot
        for version in (2, 3):
            desk.fill(version)
            desk.publish()
        assert old.execute("select count(*) from public.board").fetchone() == (1000,)


def test_05_a_running_pg_dump_is_whole_and_readers_do_not_notice(desk: Desk) -> None:
    desk.fill(
        1, 100_000
    )  # more than the pipe holds, so the dump stands still with its locks until it is read
    desk.publish()
    desk.fill(2, 100_000)
    command = [str(bundled_binaries() / "pg_dump"), "--data-only", "--table=public.board", desk.dsn]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}) as dump:
        assert dump.stdout is not None
        first = dump.stdout.read(1)
        with Readers(desk.dsn, lock_timeout=READER_LIMIT) as readers, pytest.raises(SwapTimeout) as timeout:
            desk.publish()
        text = (first + dump.stdout.read()).decode()
    readers.assert_whole(100_000)
    assert timeout.value.blockers[0].application == "pg_dump"
    lines = [line for line in text.splitlines() if "\tname " in line]
    assert {line.split("\t")[1] for line in lines} == {"1"}
    assert len(lines) == 100_000
    desk.publish()
    assert desk.live() == (100_000, 2, 2)


@contextmanager
def long_transactions(dsn: str, seconds: float) -> Iterator[set[int]]:
    """Two readers in transactions of that length, so that the table is never without one; yields their pids."""
    stop, pids, started = threading.Event(), set[int](), threading.Barrier(3)

    def read(delay: float) -> None:
        with psycopg.connect(dsn) as connection:
            pids.add(connection.info.backend_pid)
            for turn in range(1000):
                connection.execute("select count(*) from public.board")
                if turn == 0:
                    started.wait()
                if stop.wait(delay if turn == 0 else seconds):
                    return
                connection.commit()

    threads = [threading.Thread(target=read, args=(seconds * part,)) for part in (0.5, 1.0)]
    for thread in threads:
        thread.start()
    started.wait()
    try:
        yield pids
    finally:
        stop.set()
        for thread in threads:
            thread.join()
