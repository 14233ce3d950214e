"""The one process that owns the stack: starts the services, watches them, restarts what crashes, stops all.

Runs detached as `python -m stir_assets.local.supervisor`, or inside `stir up` in the foreground. It holds a
lock on its home for as long as it lives, which the kernel frees however it ends: there is no stale pid file
to be misled by.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import IO

from stir_assets.errors import ConfigError, StirError
from stir_assets.local.catalog import SERVICES, build_service
from stir_assets.local.config import StackConfig
from stir_assets.local.home import StackHome
from stir_assets.local.logs import bound_size
from stir_assets.local.processes import ProcessRef
from stir_assets.local.runner import ServiceRunner
from stir_assets.local.state import ServiceState, StackState

_TICK_SECONDS = 0.2
_STATE_EVERY_SECONDS = 2.0

_BAD_PHASES = ("restarting", "failed", "not answering")

log = logging.getLogger("stir.supervisor")


class Supervisor:
    """Runs the services named in `wanted.json`; names added to that file while it runs are started too."""

    def __init__(
        self,
        home: StackHome,
        base_env: Mapping[str, str],
        *,
        owner: ProcessRef | None = None,
        foreground: bool = False,
    ) -> None:
        self._foreground = foreground
        self._home = home
        self._base_env = base_env
        self._owner = owner
        self._stop = threading.Event()
        self.stop_reason = ""
        self._lock = threading.Lock()
        self._runners: dict[str, ServiceRunner] = {}
        self._state = StackState(supervisor=ProcessRef.of(os.getpid()))

    def stop(self, reason: str) -> None:
        """Ask it to end everything and return; safe from a signal handler and from any thread."""
        self.stop_reason = self.stop_reason or reason
        self._stop.set()

    def run(self, on_started: Callable[[], None] | None = None) -> None:
        """Block until stopped. Raises `ConfigError` if another supervisor owns this home."""
        with HomeLock(self._home.supervisor_lock) as lock:
            self._install_signal_handlers()
            log.info("supervisor %d starts in %s", os.getpid(), self._home.root)
            self._write_state()
            if on_started is not None:
                on_started()
            try:
                self._watch(lock)
            finally:
                self._stop_services()

    def _watch(self, lock: IO[str]) -> None:
        wanted_stamp: object = None
        next_state = next_logs = 0.0
        while not self._stop.wait(_TICK_SECONDS):
            stamp = _stamp(self._home.wanted_file)
            if stamp != wanted_stamp:
                wanted_stamp = stamp
                self._start_wanted()
            now = time.monotonic()
            if now >= next_state:
                next_state = now + _STATE_EVERY_SECONDS
                self._check_still_wanted(lock)
                self._write_state()
            if now >= next_logs:
                next_logs = now + _STATE_EVERY_SECONDS
                for name in [*self._runners, "supervisor"]:
                    bound_size(self._home.log_file(name))

    def _check_still_wanted(self, lock: IO[str]) -> None:
        if self._owner is not None and not self._owner.alive():
            self.stop(f"the process that started it ({self._owner.pid}) has ended")
        try:
            replaced = os.fstat(lock.fileno()).st_ino != self._home.supervisor_lock.stat().st_ino
        except FileNotFoundError:
            replaced = True
        if replaced:
            self.stop(f"{self._home.root} was deleted")

    def _start_wanted(self) -> None:
        try:
            wanted = json.loads(self._home.wanted_file.read_text())
            config = StackConfig.load(self._home.config_file)
        except (OSError, ValueError, ConfigError) as error:
            log.error("cannot read what to start: %s", error)
            return
        self._state.external = bool(wanted["external"])
        for name in SERVICES:
            if name not in wanted["services"]:
                continue
            runner = self._runners.get(name)
            if runner is not None and not runner.gave_up:
                continue
            # A service that gave up gets another chance when somebody says `stir up` again.
            try:
                service = build_service(
                    name, self._home, config or StackConfig(), self._base_env, external=wanted["external"]
                )
            except StirError as error:
                self._report(ServiceState(name=name, phase="failed", reason=str(error)))
                continue
            self._runners[name] = ServiceRunner(
                service, self._home, report=self._report, is_ready=self._is_ready, wanted=wanted["services"]
            )
            self._report(ServiceState(name=name, address=service.address, log=str(self._home.log_file(name))))
            self._runners[name].start()
        self._state.generation = int(wanted["generation"])
        self._write_state()

    def _is_ready(self, name: str) -> bool:
        with self._lock:
            state = self._state.services.get(name)
            return state is not None and state.phase == "ready"

    def _report(self, service: ServiceState) -> None:
        with self._lock:
            before = self._state.services.get(service.name)
            if before is None or (before.phase, before.reason) != (service.phase, service.reason):
                pid = service.process.pid if service.process else "-"
                level = logging.WARNING if service.phase in _BAD_PHASES else logging.INFO
                log.log(level, "%s: %s (pid %s) %s", service.name, service.phase, pid, service.reason)
            self._state.services[service.name] = service
        self._write_state()

    def _write_state(self) -> None:
        with self._lock:
            try:
                self._state.write(self._home.state_file)
            except OSError as error:
                # A full disk must not take the engines down with it; a deleted home is noticed elsewhere.
                log.error("cannot write %s: %s", self._home.state_file, error)

    def _stop_services(self) -> None:
        log.info("stopping: %s", self.stop_reason or "asked to")
        runners = list(self._runners.values())
        # Clients before engines: Dagster may still want to write to its storage.
        for phase in (True, False):
            group = [runner for runner in runners if bool(runner.service.after) is phase]
            for runner in group:
                runner.stop()
            for runner in group:
                runner.join()
        log.info("stopped")

    def _install_signal_handlers(self) -> None:
        def handle(number: int, _frame: FrameType | None) -> None:
            self.stop(f"received {signal.Signals(number).name}")

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)
        # A closed terminal ends the stack that runs in it, and not one that was detached.
        signal.signal(signal.SIGHUP, handle if self._foreground else signal.SIG_IGN)


class HomeLock:
    """An exclusive lock on a file, held until the context ends or the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> IO[str]:
        self._file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigError(
                f"another supervisor runs in {self._path.parent.parent}: see `stir status`"
            ) from None
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def log_to(stream: IO[str], level: int = logging.INFO) -> None:
    """Send the supervisor's log there, with times in UTC."""
    handler = logging.StreamHandler(stream)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.setLevel(level)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    # Probes fail until an engine is up; the drivers would log each of them as a warning.
    for chatty in ("clickhouse_connect", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def main() -> None:
    """Entry point of the detached supervisor; its output goes to logs/supervisor.log."""
    parser = argparse.ArgumentParser(description="Supervisor of the local stack; started by `stir up`.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--owner-pid", type=int, default=0)
    arguments = parser.parse_args()
    log_to(sys.stdout)
    owner = ProcessRef.of(arguments.owner_pid) if arguments.owner_pid else None
    try:
        Supervisor(StackHome(arguments.home), dict(os.environ), owner=owner).run()
    except StirError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
