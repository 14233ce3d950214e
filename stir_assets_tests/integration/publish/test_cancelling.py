"""A Dagster run that is interrupted while it publishes ends at once, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, Desk, Leftovers

CLIENT = "stir_assets_tests.integration.publish.dagster_client"


@contextmanager
def run(
    desk: Desk, server: ClickHouseSettings, environment: dict[str, str], select: str, home: Path
) -> Iterator[subprocess.Popen[str]]:
    """The client, with Python's own SIGINT handler whatever this process was started with."""
    server_fields = {name: getattr(server, name) for name in ("host", "port", "user", "password", "database")}
    job = {
        "clickhouse": server_fields,
        "manager": {
            "postgres_dsn": desk.dsn, "bucket": desk.s3.bucket, "prefix": desk.s3.prefix,
            "endpoint": desk.s3.settings.endpoint,
        },
        "select": select,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", CLIENT],
        env={**os.environ, **environment, "DAGSTER_HOME": str(home), "PYTHONFAULTHANDLER": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_state(desk: Desk, process: subprocess.Popen[str], state: str) -> None:
    for _ in range(600):
        latest = desk.rows("select state from stir_publish.run order by started desc limit 1")
        if latest == [(state,)]:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    raise AssertionError(f"never came to {state}")


def running(desk: Desk) -> int:
    """Queries of publications that ClickHouse runs now."""
    found = desk.client.query(
        "select count() from system.processes where query like '%stir_publish%' and query not like '%system.processes%'"
    )
    return found.result_rows[0][0]


@pytest.mark.parametrize("moment", ["exporting", "ready"])
def test_a_run_cancelled_in_the_middle_leaves_nothing_behind(
    desk: Desk,
    clickhouse_server: ClickHouseSettings,
    stack_env: dict[str, str],
    tmp_path: Path,
    moment: str,
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    source = f"{desk.client.database}.source"
    slow = (
        "select toInt64(number) as id, toInt32(2) as version, toString(number) as name from numbers(1000) "
        "where not ignore(sleepEachRow(0.1)) settings max_block_size = 1"
    )
    select = slow if moment == "exporting" else f"select * from {source}"
    with (
        psycopg.connect(desk.dsn) as reader,
        run(desk, clickhouse_server, stack_env, select, tmp_path) as process,
    ):
        if moment == "ready":  # the swap waits for this session
            reader.execute("select 1 from public.board limit 1")
        wait_for_state(desk, process, moment)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 1, output
        assert "Interrupted" in output
    assert desk.live() == (1000, 1, 1)
    assert desk.leftovers() == Leftovers()
    assert running(desk) == 0
    assert desk.rows("select state from stir_publish.run order by started desc limit 1") == [("aborted",)]
    locks = (
        "select count(*) from pg_locks where locktype = 'advisory' "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    assert desk.rows(locks) == [(0,)]
    desk.publish()
    assert desk.live() == (1000, 2, 2)
    assert desk.leftovers() == PREVIOUS_ONLY
