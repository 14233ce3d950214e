"""Dagster of the local stack: one code server, the webserver and the daemon, all on one storage."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from stir_assets.errors import ConfigError, TransientError
from stir_assets.launch.launcher import LAUNCHER_VARIABLE
from stir_assets.launch.protocol import request
from stir_assets.launch.registry import Registry, zygote_folder
from stir_assets.local import probes
from stir_assets.local.ports import LOOPBACK
from stir_assets.local.service import Service
from stir_assets.settings import DBT_PROJECT_DIR, REPO_ROOT

DEFINITIONS_MODULE = "stir_assets.definitions"
LOCATION = "stir"

log = logging.getLogger("stir.supervisor")


def write_instance(home: Path) -> None:
    """`dagster.yaml` of the repository in DAGSTER_HOME, so that every command has the same instance."""
    source = REPO_ROOT / "dagster.yaml"
    if not source.is_file():
        raise ConfigError(f"{source} is missing: the local stack runs from a checkout of the repository")
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_bytes(source.read_bytes())


def write_workspace(home: Path, code_port: int) -> None:
    """A workspace that points at the code server, in DAGSTER_HOME."""
    server = {"host": LOOPBACK, "port": code_port, "location_name": LOCATION}
    workspace = {"load_from": [{"grpc_server": server}]}
    # JSON is YAML.
    workspace_file(home).write_text(json.dumps(workspace, indent=2) + "\n")


def workspace_file(home: Path) -> Path:
    return home / "workspace.yaml"


class DagsterService(Service):
    """Common to the three: they run from the checkout with the stack's environment."""

    stop_timeout = 30.0
    start_timeout = 180.0

    def __init__(self, port: int, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(port)
        self._home = home
        self._environment = environment

    def environment(self) -> Mapping[str, str]:
        # Line by line into the log, not in blocks at the end. Runs are forked from the zygote unless the
        # user's environment names another launcher.
        return {LAUNCHER_VARIABLE: "fork", **self._environment, "PYTHONUNBUFFERED": "1"}

    def working_directory(self) -> Path | None:
        return REPO_ROOT

    def storage(self) -> psycopg.Connection:
        """A connection to Dagster's own database."""
        env = self._environment
        try:
            return psycopg.connect(
                host=env["DAGSTER_PG_HOST"],
                port=env["DAGSTER_PG_PORT"],
                user=env["DAGSTER_PG_USER"],
                password=env["DAGSTER_PG_PASSWORD"],
                dbname=env["DAGSTER_PG_DB"],
                connect_timeout=probes.TIMEOUT_SECONDS,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if "does not exist" in str(error):
                raise ConfigError(
                    f"Dagster's storage: {str(error).strip()}: create that database or role, or name another with "
                    "DAGSTER_PG_HOST, DAGSTER_PG_PORT, DAGSTER_PG_DB, DAGSTER_PG_USER, DAGSTER_PG_PASSWORD"
                ) from None
            raise


class CodeServer(DagsterService):
    """Imports the definitions once for webserver and daemon, and is the parent of run workers.

    Also makes Dagster's tables, before any Dagster process starts: several processes on an empty
    storage race in their first migration.
    """

    name = "code-server"
    after = ("clickhouse", "postgres", "s3")

    @property
    def address(self) -> str:
        return f"grpc://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        write_instance(self._home)
        write_workspace(self._home, self.port)
        self._migrate()

    def command(self) -> list[str]:
        server = [sys.executable, "-m", "dagster", "code-server", "start"]
        # Run workers use this very interpreter, not whichever `dagster` comes first in PATH.
        own_python = "--use-python-environment-entry-point"
        place = ["--host", LOOPBACK, "--port", str(self.port), "--location-name", LOCATION]
        return [*server, own_python, *place, "--module-name", DEFINITIONS_MODULE]

    def probe(self) -> None:
        probes.code_server(LOOPBACK, self.port)

    def _migrate(self) -> None:
        marker = self._home / "migrated"
        version = importlib.metadata.version("dagster")
        with self.storage() as connection:
            row = connection.execute(
                "SELECT to_regclass('alembic_version')::text, to_regclass('daemon_heartbeats')::text"
            ).fetchone()
        complete = row is not None and None not in row
        if complete and marker.is_file() and marker.read_text() == version:
            return
        done = subprocess.run(
            [sys.executable, "-m", "dagster", "instance", "migrate"],
            env={**self.environment()},
            cwd=REPO_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        log.info("dagster instance migrate: exit code %d", done.returncode)
        if done.returncode != 0:
            raise TransientError(f"`dagster instance migrate` failed:\n{done.stderr.strip()[-1500:]}")
        marker.write_text(version)


class Zygote(DagsterService):
    """Holds the definitions and dbt in memory and forks every run."""

    name = "zygote"
    # Its first load would parse the dbt project at the same time as the code server's.
    after = ("code-server",)

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(0, home, environment)
        self._registry = Registry(zygote_folder(environment))

    @property
    def address(self) -> str:
        return ""

    def environment(self) -> Mapping[str, str]:
        # A library's thread pool would be missing in every fork.
        return {**super().environment(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def command(self) -> list[str]:
        program = [sys.executable, "-m", "stir_assets.launch.zygote", "--module", DEFINITIONS_MODULE]
        watched = ["--watch", str(REPO_ROOT / "stir_assets"), "--watch", str(DBT_PROJECT_DIR)]
        preload = ["--preload", "stir_assets.launch.preload:preload"]
        return [*program, *preload, "--folder", str(zygote_folder(self._environment)), *watched]

    def probe(self) -> None:
        answer = request(self._registry.socket_path, {"op": "ping"}, timeout=probes.TIMEOUT_SECONDS)
        # Code that does not load is for its author to mend; a restart would only load it once more.
        if not answer.get("ok"):
            log.warning("zygote: runs take the slow path: %s", answer.get("reason"))


class Webserver(DagsterService):
    """The user interface."""

    name = "webserver"
    after = ("code-server",)

    def command(self) -> list[str]:
        program = [sys.executable, "-m", "dagster_webserver", "--host", LOOPBACK, "--port", str(self.port)]
        return [*program, "--workspace", str(workspace_file(self._home))]

    def probe(self) -> None:
        probes.webserver(self.address)


class Daemon(DagsterService):
    """Sensors, automation, the run queue and run monitoring. Exactly one may run on a storage."""

    name = "daemon"
    after = ("code-server",)
    probe_interval = 30.0
    # The daemons beat every 30 seconds; twice that and a bit is late.
    _late_seconds = 75.0

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(0, home, environment)
        self._started = 0.0

    @property
    def address(self) -> str:
        return ""

    def prepare(self) -> None:
        self._started = time.time()

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "dagster._daemon",
            "run",
            "--workspace",
            str(workspace_file(self._home)),
        ]

    def probe(self) -> None:
        with self.storage() as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM max(timestamp AT TIME ZONE 'UTC'))::float8 FROM daemon_heartbeats"
            ).fetchone()
        newest = row[0] if row and row[0] is not None else 0.0
        oldest_allowed = max(self._started - 1.0, time.time() - self._late_seconds)
        if newest < oldest_allowed:
            raise TransientError("no daemon has reported a heartbeat since it started")
