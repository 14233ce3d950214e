"""Webserver, daemon and code server of the local stack, on their storage in PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from stir_assets.local.catalog import SERVICES
from stir_assets.local.stack import Stack
from stir_assets_tests.fixtures.stack import clean_environment, unused_ports


def query(address: str, text: str) -> dict:
    request = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)["data"]


@pytest.mark.slow
def test_dagster_runs_on_postgres_and_a_killed_daemon_comes_back(tmp_path: Path) -> None:
    names = ("clickhouse", "postgres", "s3", "webserver", "code-server")
    stack = Stack(
        tmp_path / "home", SERVICES, ports=unused_ports(*names), env=clean_environment(), owner=os.getpid()
    )
    try:
        stack.start()
        state = stack.state()
        assert state is not None
        address = state.services["webserver"].address
        health = query(address, "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy } } } }")
        running = {
            status["daemonType"]
            for status in health["instance"]["daemonHealth"]["allDaemonStatuses"]
            if status["healthy"]
        }
        assert {"SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING", "FRESHNESS_DAEMON"} <= running
        entries = query(address, "{ workspaceOrError { ... on Workspace { locationEntries { name } } } }")[
            "workspaceOrError"
        ]["locationEntries"]
        assert entries == [{"name": "stir"}]

        env = stack.environment()
        with psycopg.connect(
            host=env["DAGSTER_PG_HOST"],
            port=env["DAGSTER_PG_PORT"],
            user=env["DAGSTER_PG_USER"],
            password=env["DAGSTER_PG_PASSWORD"],
            dbname=env["DAGSTER_PG_DB"],
        ) as connection:
            tables = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE tablename IN ('runs', 'event_logs', 'jobs', 'alembic_version')"
            ).fetchone()
        assert tables == (4,)
        assert not list(Path(env["DAGSTER_HOME"]).rglob("*.db")), "nothing may fall back to SQLite"

        daemon = state.services["daemon"].process
        assert daemon is not None
        os.kill(daemon.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while True:
            now = stack.state()
            assert now is not None
            entry = now.services["daemon"]
            if entry.phase == "ready" and entry.process != daemon:
                break
            assert time.monotonic() < deadline, entry
            time.sleep(0.1)
        assert entry.restarts == 1
        assert "killed by SIGKILL" in entry.reason
        assert now.services["webserver"].restarts == 0
    finally:
        stack.stop()
