"""Runs of a small code location by the fork launcher, on a real instance, code server and zygote."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dagster as dg
import psutil
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_graphql.test.utils import execute_dagster_graphql

from stir_assets.launch.launcher import ForkRunLauncher
from stir_assets.launch.protocol import request
from stir_assets.launch.registry import Registry, RunWorker
from stir_assets.settings import REPO_ROOT

MODULE = "stir_launch_example"

CODE = """
import os, signal, time
import dagster as dg

VERSION = "one"
FOLDER = os.environ["STIR_EXAMPLE_FOLDER"]

def say(name, text):
    with open(os.path.join(FOLDER, name), "w") as file:
        file.write(str(text))

@dg.op
def quick(context):
    say(context.run_id, f"{VERSION} {os.getpid()} {os.getppid()}")

@dg.op
def slow(context):
    say(context.run_id, os.getpid())
    time.sleep(60)

@dg.op
def greedy():
    bytearray(4 * 2**30)

@dg.op
def crashing():
    os.kill(os.getpid(), signal.SIGSEGV)

@dg.op
def querying(context):
    import clickhouse_connect
    client = clickhouse_connect.get_client(
        host=os.environ["STIR_CLICKHOUSE_HOST"], port=int(os.environ["STIR_CLICKHOUSE_PORT"]),
        username=os.environ["STIR_CLICKHOUSE_USER"], password=os.environ["STIR_CLICKHOUSE_PASSWORD"],
    )
    say(context.run_id, os.getpid())
    client.command(
        "select count() from numbers(60) where not ignore(sleepEachRow(0.5)) settings max_block_size=1",
        settings={"log_comment": os.environ["STIR_RUN_ID"]},
    )

def job_of(op):
    @dg.job(name=op.name + "_job", executor_def=dg.in_process_executor)
    def job():
        op()
    return job

defs = dg.Definitions(jobs=[job_of(op) for op in (quick, slow, greedy, crashing, querying)])
"""

TERMINATE = """
mutation Terminate($runId: String!) {
    terminateRun(runId: $runId, terminatePolicy: SAFE_TERMINATE) { __typename }
}
"""

DAGSTER_YAML = """
run_launcher: {module: stir_assets.launch.launcher, class: StirRunLauncher}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
run_monitoring: {enabled: true, poll_interval_seconds: 1}
telemetry: {enabled: false}
"""


def wait_until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `found` returns once it is true; an error with the time waited otherwise."""
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, f"not within {seconds:g} s"
        time.sleep(0.05)
    return value


@dataclass
class Location:
    """The code location, its instance, and the zygote that serves it."""

    folder: Path
    env: dict[str, str]
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    zygote: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def code(self) -> Path:
        """The module's file; tests change it."""
        return self.folder / "code" / f"{MODULE}.py"

    @property
    def launcher(self) -> ForkRunLauncher:
        """The instance's launcher."""
        return cast(ForkRunLauncher, self.instance.run_launcher)

    @property
    def registry(self) -> Registry:
        """Where launcher and zygote meet."""
        return Registry(self.folder / "zygote")

    def start_zygote(self) -> None:
        """Starts one and waits until it answers."""
        options = [
            "--folder",
            str(self.folder / "zygote"),
            "--module",
            MODULE,
            "--watch",
            str(self.code.parent),
        ]
        with (self.folder / "zygote.log").open("ab") as log:
            self.zygote = subprocess.Popen(
                [sys.executable, "-m", "stir_assets.launch.zygote", *options],
                env=self.env,
                stdout=log,
                stderr=log,
            )
        wait_until(self.is_ready)

    def is_ready(self) -> bool:
        """Whether the zygote answers and has the code."""
        try:
            return bool(request(self.registry.socket_path, {"op": "ping"}).get("ok"))
        except (OSError, ValueError):
            return False

    def stop_zygote(self) -> None:
        """As the supervisor does: SIGTERM, then patience."""
        if self.zygote is not None:
            self.zygote.terminate()
            self.zygote.wait(timeout=40)

    def launch(self, name: str) -> str:
        """Starts a run of `<name>_job` as the daemon would; its id."""
        context = self.workspace.create_request_context()
        repository = next(iter(context.get_code_location(MODULE).get_repositories().values()))
        job = repository.get_full_job(f"{name}_job")
        run = create_run_for_test(
            self.instance,
            job_name=job.name,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
        )
        self.instance.launch_run(run.run_id, context)
        return run.run_id

    def terminate(self, run_id: str) -> str:
        """Cancels as the UI does; what the answer is called in its schema."""
        answer = execute_dagster_graphql(
            self.workspace.create_request_context(), TERMINATE, variables={"runId": run_id}
        )
        return answer.data["terminateRun"]["__typename"]

    def run(self, run_id: str) -> dg.DagsterRun:
        """The run as it is now."""
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def ended(self, run_id: str, seconds: float = 60.0) -> dg.DagsterRunStatus:
        """Its status, once it is finished."""
        wait_until(lambda: self.run(run_id).is_finished, seconds)
        return self.run(run_id).status

    def said(self, run_id: str, seconds: float = 60.0) -> str:
        """What the op wrote: it runs now, or has run."""
        path = self.folder / "said" / run_id
        return wait_until(lambda: path.read_text() if path.exists() else "", seconds)

    def worker(self, run_id: str) -> RunWorker:
        """Its process, as the zygote recorded it."""
        return wait_until(lambda: self.registry.read(run_id))


@contextmanager
def location(folder: Path, env: dict[str, str], code: str = CODE) -> Iterator[Location]:
    """Everything in `folder`. `env` is the environment of the instance's processes, `code` the module's text."""
    for name in ("code", "said", "home"):
        (folder / name).mkdir()
    (folder / "home" / "dagster.yaml").write_text(DAGSTER_YAML)
    (folder / "code" / f"{MODULE}.py").write_text(code)
    env = {
        **env,
        "PYTHONPATH": os.pathsep.join((str(folder / "code"), str(REPO_ROOT))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DAGSTER_HOME": str(folder / "home"),
        "STIR_ZYGOTE_DIR": str(folder / "zygote"),
        "STIR_RUN_LAUNCHER": "fork",
        "STIR_RUN_MEMORY_MB": "1500",
        "STIR_EXAMPLE_FOLDER": str(folder / "said"),
    }
    before = dict(os.environ)
    os.environ.update(env)
    try:
        with dg.DagsterInstance.get() as instance:
            target = ModuleTarget(MODULE, attribute=None, working_directory=None, location_name=MODULE)
            with WorkspaceProcessContext(instance, target) as workspace:
                found = Location(folder, env, instance, workspace)
                found.start_zygote()
                try:
                    yield found
                finally:
                    found.stop_zygote()
    finally:
        os.environ.clear()
        os.environ.update(before)


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
