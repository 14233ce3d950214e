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
from typing import Any

import dagster as dg
import psycopg
import pytest

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.stack import clean_environment
from stir_assets_tests.integration.launch.runs import location, wait_until
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, Desk, Leftovers

pytestmark = pytest.mark.slow

SLOW = (
    "select toInt64(number) as id, toInt32(2) as version, toString(number) as name from numbers(1000) "
    "where not ignore(sleepEachRow(0.1)) settings max_block_size = 1"
)
CLIENT = "stir_assets_tests.integration.publish.dagster_client"


def job_of(desk: Desk, server: ClickHouseSettings, select: str) -> dict[str, Any]:
    """Where to publish what, for a process of its own."""
    return {
        "clickhouse": {
            name: getattr(server, name) for name in ("host", "port", "user", "password", "database")
        },
        "manager": {
            "postgres_dsn": desk.dsn, "bucket": desk.s3.bucket, "prefix": desk.s3.prefix,
            "endpoint": desk.s3.settings.endpoint,
        },
        "select": select,
    }  # fmt: skip


@contextmanager
def run(
    desk: Desk, server: ClickHouseSettings, environment: dict[str, str], select: str, home: Path
) -> Iterator[subprocess.Popen[str]]:
    """The client, with Python's own SIGINT handler whatever this process was started with."""
    process = subprocess.Popen(
        [sys.executable, "-m", CLIENT],
        env={**os.environ, **environment, "DAGSTER_HOME": str(home), "PYTHONFAULTHANDLER": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(job_of(desk, server, select)))
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.wait()


def assert_nothing_is_left(desk: Desk) -> None:
    """The first version is live, and neither engine holds or does anything for the second."""
    assert desk.live() == (1000, 1, 1)
    assert desk.leftovers() == Leftovers()
    assert running(desk) == 0
    assert desk.rows("select state from stir_publish.run order by started desc limit 1") == [("aborted",)]
    locks = (
        "select count(*) from pg_locks where locktype = 'advisory' "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    assert desk.rows(locks) == [(0,)]


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
    select = SLOW if moment == "exporting" else f"select * from {desk.client.database}.source"
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
    assert_nothing_is_left(desk)
    desk.publish()
    assert desk.live() == (1000, 2, 2)
    assert desk.leftovers() == PREVIOUS_ONLY


CODE = """
import json, os
from dataclasses import replace
import dagster as dg
from stir_assets.io_managers.relation import Relation
from stir_assets.io_managers.serving_table import ServingTableIOManager
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.publish.target import Column
from stir_assets_tests.integration.publish.conftest import TARGET

SLOWLY = replace(
    TARGET, columns=(*TARGET.columns[:2], Column("name", "text", source="if(sleepEachRow(0.0025) = 0, name, '')"))
)

def job_of():
    with open(os.path.join(os.environ["STIR_EXAMPLE_FOLDER"], "job.json")) as file:
        return json.load(file)

@dg.io_manager
def serving():
    job = job_of()
    return ServingTableIOManager(clickhouse=ClickHouseResource(**job["clickhouse"]), **job["manager"])

@dg.op(out=dg.Out(io_manager_key="serving"))
def board():
    job = job_of()
    return Relation(job["select"], target=SLOWLY if job["slowly"] else TARGET)

@dg.job(resource_defs={"serving": serving}, executor_def=dg.in_process_executor)
def board_job():
    board()

defs = dg.Definitions(jobs=[board_job])
"""


def test_a_launched_run_that_the_ui_terminates_leaves_nothing_behind(
    desk: Desk, clickhouse_server: ClickHouseSettings, stack_env: dict[str, str], tmp_path: Path
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    plain = f"select * from {desk.client.database}.source"
    with location(tmp_path, {**clean_environment(), **stack_env}, CODE) as here:
        for moment, select in (("exporting", SLOW), ("loading", plain), ("ready", plain)):
            job = {**job_of(desk, clickhouse_server, select), "slowly": moment == "loading"}
            (tmp_path / "said" / "job.json").write_text(json.dumps(job))
            with psycopg.connect(desk.dsn) as reader:
                if moment == "ready":
                    reader.execute("select 1 from public.board limit 1")
                run_id = here.launch("board")
                wait_until(lambda moment=moment, run_id=run_id: state_of(desk, run_id) == moment)
                assert here.terminate(run_id) == "TerminateRunSuccess"
                assert here.ended(run_id) is dg.DagsterRunStatus.CANCELED
            assert_nothing_is_left(desk)
        assert here.ended(here.launch("board")) is dg.DagsterRunStatus.SUCCESS
    assert desk.live() == (1000, 2, 2)
    assert desk.leftovers() == PREVIOUS_ONLY


def state_of(desk: Desk, run_id: str) -> str | None:
    """How far the publication of a run has come."""
    found = desk.rows("select state from stir_publish.run where run_id = %s", run_id)
    return found[0][0] if found else None
