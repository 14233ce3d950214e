"""How a run gets its process. dagster.yaml names `StirRunLauncher`; the environment says which it is.

STIR_RUN_LAUNCHER: `fork` (a warm process forked by the zygote; what `stir up` sets), `default` (a new process
of the code server; what Dagster does by itself, and Stir when nothing is set), `k8s` (a pod, configured by
the JSON in STIR_K8S_RUN_LAUNCHER).
"""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Mapping
from typing import Any, cast

from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import DagsterRun
from dagster._serdes import ConfigurableClassData, serialize_value

from stir_assets.errors import ConfigError
from stir_assets.launch.protocol import request
from stir_assets.launch.registry import Registry, zygote_folder

LAUNCHER_VARIABLE = "STIR_RUN_LAUNCHER"
K8S_VARIABLE = "STIR_K8S_RUN_LAUNCHER"
LAUNCHER_TAG = "stir/launcher"

log = logging.getLogger("stir.launch")


class ForkRunLauncher(DefaultRunLauncher):
    """Asks the zygote; whatever keeps that from starting a run, the stock way starts it."""

    def __init__(self, registry: Registry, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._registry = registry

    def launch_run(self, context: LaunchRunContext) -> None:
        """Starts the run. Raises what the stock launcher raises when that fails too."""
        run = context.dagster_run
        refusal = self._ask_for_fork(run)
        if refusal is None:
            self._run_ids.add(run.run_id)
            return
        log.warning("run %s takes the slow path: %s", run.run_id, refusal)
        self._instance.report_engine_event(
            f"No warm process for this run ({refusal}); starting one the stock way.", run
        )
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupts the run; the zygote kills it if it does not end. False if nothing of it runs."""
        worker = self._registry.read(run_id)
        if worker is None:
            return super().terminate(run_id)
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if not worker.alive():
            self._instance.report_run_canceled(run, "The run's process had ended before.")
            return False
        try:
            answer = request(self._registry.socket_path, {"op": "cancel", "run_id": run_id})
        except (OSError, ValueError):
            answer = {"ok": False}
        if not answer.get("ok"):
            os.kill(worker.pid, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """What run monitoring sees. Runs of the stock path count as running: it cannot tell either."""
        worker = self._registry.read(run.run_id)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started the stock way: not watched")
        if worker.alive():
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(worker.pid))
        if worker.exit_code == 0:
            return CheckRunHealthResult(WorkerStatus.SUCCESS, run_worker_id=str(worker.pid))
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            _how_it_ended(worker.exit_code, worker.peak_bytes),
            run_worker_id=str(worker.pid),
        )

    def _ask_for_fork(self, run: DagsterRun) -> str | None:
        """None when the zygote has it, else why not. Never leaves it open who starts the run."""
        module = _module(run)
        if module is None:
            return "its code is not loaded by module name"
        message = {
            "op": "run",
            "run_id": run.run_id,
            "module": module,
            "instance_ref": serialize_value(self._instance.get_ref()),
        }
        try:
            answer = request(self._registry.socket_path, message)
        except (OSError, ValueError) as error:
            answer = {"ok": False, "reason": f"the zygote does not answer: {error or type(error).__name__}"}
        if not answer.get("ok"):
            self._registry.prepare()
            # The answer may have been lost after the fork: only who has the claim starts the run.
            if self._registry.claim(run.run_id):
                return str(answer.get("reason"))
        self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: "fork"})
        return None


def _module(run: DagsterRun) -> str | None:
    origin = run.job_code_origin
    pointer = origin.repository_origin.code_pointer if origin else None
    return getattr(pointer, "module", None)


def _how_it_ended(exit_code: int | None, peak_bytes: int) -> str:
    if exit_code is None:
        return "the run's process is gone, and so was the zygote that would have seen how it ended"
    peak = f"it held at most {peak_bytes // 2**20} MB"
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = "; out of memory?" if exit_code == -signal.SIGKILL else ""
        return f"the run's process was killed by {name}{hint} ({peak})"
    return f"the run's process exited with code {exit_code} ({peak}); its last words are in the zygote's log"


class StirRunLauncher(DefaultRunLauncher):
    """Named in dagster.yaml; builds the launcher that the environment asks for. Takes no configuration."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]  # another launcher on purpose
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RunLauncher:
        # The instance is built before any settings exist: this is configuration of Dagster, not of Stir.
        kind = os.environ.get(LAUNCHER_VARIABLE) or "default"
        if kind == "fork":
            return ForkRunLauncher(Registry(zygote_folder()), inst_data)
        if kind == "default":
            return DefaultRunLauncher(inst_data)
        if kind == "k8s":
            return _k8s_launcher(inst_data)
        raise ConfigError(f"{LAUNCHER_VARIABLE}={kind!r}: use one of fork, default, k8s")


def _k8s_launcher(inst_data: ConfigurableClassData | None) -> RunLauncher:
    try:
        from dagster_k8s import K8sRunLauncher  # pyright: ignore[reportMissingImports]  # only in the image
    except ImportError:
        raise ConfigError(f"{LAUNCHER_VARIABLE}=k8s needs the package dagster-k8s") from None
    from dagster._config import process_config, resolve_to_config_type

    try:
        given = json.loads(os.environ.get(K8S_VARIABLE) or "{}")
    except ValueError as error:
        raise ConfigError(f"{K8S_VARIABLE} is not JSON: {error}") from None
    result = process_config(cast(Any, resolve_to_config_type(K8sRunLauncher.config_type())), given)
    if not result.success:
        errors = "; ".join(error.message for error in result.errors or [])
        raise ConfigError(f"{K8S_VARIABLE} does not configure a K8sRunLauncher: {errors}")
    return K8sRunLauncher.from_config_value(inst_data, cast(Any, result.value))
