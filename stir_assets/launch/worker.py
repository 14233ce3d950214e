"""What a forked process does: execute one run and leave."""

from __future__ import annotations

import ctypes
import logging
import os
import random
import resource
import signal
import sys
from typing import TYPE_CHECKING

from dagster import DagsterInstance
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.instance.ref import InstanceRef
from dagster._grpc.impl import core_execute_run
from dagster._serdes import deserialize_value
from dagster._utils.interrupts import capture_interrupts

from stir_assets.launch.queries import RUN_VARIABLE, kill_queries_of_run

if TYPE_CHECKING:
    from dagster._core.definitions.reconstruct import ReconstructableRepository

MEMORY_VARIABLE = "STIR_RUN_MEMORY_MB"
# dbt with the whole graph needs about 400 MB; a run that asks for more than this has gone wrong, and gets
# a MemoryError of its own instead of taking its neighbours along.
DEFAULT_MEMORY_MB = 3072
_PR_SET_PDEATHSIG = 1

log = logging.getLogger("stir.launch")


def execute(repository: ReconstructableRepository, run_id: str, instance_ref: str) -> int:
    """Runs in the child, from right after the fork to its exit code. Never raises."""
    _leave_home()
    os.environ[RUN_VARIABLE] = run_id
    try:
        with (
            capture_interrupts(),
            DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance,
        ):
            return _execute(repository, run_id, instance)
    except BaseException:
        log.exception("run %s could not be executed", run_id)
        return 1


def _execute(repository: ReconstructableRepository, run_id: str, instance: DagsterInstance) -> int:
    run = instance.get_run_by_id(run_id)
    if run is None:
        log.error("run %s is not in the run storage", run_id)
        return 1
    if run.is_finished:
        return 0  # cancelled between the request and now
    instance.report_engine_event(f"Forked a warm process for this run (pid {os.getpid()}).", run)
    job = repository.get_reconstructable_job(run.job_name)
    try:
        # The events are stored as they come; nobody here needs them.
        for _ in core_execute_run(job, run, instance, inject_env_vars=True):
            pass
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        log.info("run %s was interrupted", run_id)
        kill_queries_of_run(run_id)
    except Exception:
        # Already in the run's events.
        log.exception("run %s failed outside its steps", run_id)
        return 1
    else:
        if (ended := instance.get_run_by_id(run_id)) is not None and ended.status.value != "SUCCESS":
            kill_queries_of_run(run_id)
    return 0


def _leave_home() -> None:
    """Own session, own signals, own random numbers, bounded memory; ends when the zygote ends."""
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    random.seed()
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(int.from_bytes(os.urandom(4), "little"))  # the process's default generator
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    limit = int(os.environ.get(MEMORY_VARIABLE) or DEFAULT_MEMORY_MB) * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
