"""Start, stop and inspect a local stack: `Stack(home).start()`, `.environment()`, `.stop()`."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stir_assets.errors import ConfigError, TransientError
from stir_assets.local.catalog import ENGINES, SERVICES
from stir_assets.local.config import PORTS, StackConfig, assign_ports, requested_ports
from stir_assets.local.engine_dagster import write_instance
from stir_assets.local.environment import (
    external_environment,
    is_local_export,
    load_stack_environment,
    local_environment,
    uses_external_servers,
)
from stir_assets.local.home import StackHome
from stir_assets.local.processes import stop_session
from stir_assets.local.state import StackState
from stir_assets.local.supervisor import Supervisor, log_to
from stir_assets.settings import stir_home

START_TIMEOUT_SECONDS = 240.0
STOP_TIMEOUT_SECONDS = 120.0

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a start decided: which services, in which version of wanted.json, and whether to begin a supervisor."""

    services: tuple[str, ...]
    generation: int
    fresh: bool


class Stack:
    """The services of one home. All methods may be called from any process; a file lock orders them.

    `engines`: what to run. `ports`: explicit ports by service name. `owner`: a process with which the stack
    ends, for tests. `notify` gets short lines for people.
    """

    def __init__(
        self,
        home: Path | None = None,
        engines: Sequence[str] = ENGINES,
        *,
        ports: Mapping[str, int | None] | None = None,
        env: Mapping[str, str] | None = None,
        owner: int | None = None,
        notify: Notify = lambda _line: None,
    ) -> None:
        if unknown := set(engines) - set(SERVICES):
            raise ValueError(f"unknown services {sorted(unknown)}; known are {', '.join(SERVICES)}")
        self._env = dict(os.environ if env is None else env)
        self.home = StackHome((home or stir_home(self._env)).resolve())
        self._services = tuple(name for name in SERVICES if name in engines)
        self._ports = dict(ports or {})
        self._owner = owner
        self._notify = notify

    # --- start ---------------------------------------------------------------------------------------

    def start(self, timeout: float = START_TIMEOUT_SECONDS) -> None:
        """Start what is not running yet and return when everything asked for answers real queries.

        Idempotent. Raises `ConfigError` on a wrong setting, `TransientError` with the service's own last
        words when one does not come up; a supervisor begun by this call is stopped again in that case.
        """
        self._prepare_home()
        with self._command_lock():
            plan = self._plan()
            process = self._spawn_supervisor() if plan.fresh else None
            try:
                self._wait_ready(plan, timeout, process)
            except BaseException:
                if plan.fresh:
                    self._stop_supervisor()
                raise

    def run_foreground(self, on_ready: Callable[[], None], timeout: float = START_TIMEOUT_SECONDS) -> bool:
        """Run the supervisor in this process until SIGINT, SIGTERM or `stir down`.

        Calls `on_ready` once everything answers. Returns False at once if a supervisor is running already
        (missing services are then started in that one). Raises like `start`.
        """
        self._prepare_home()
        failure: list[BaseException] = []
        with self._command_lock() as lock:
            plan = self._plan()
            if not plan.fresh:
                self._wait_ready(plan, timeout, None)
                return False
            supervisor = Supervisor(self.home, self._env, foreground=True)
            log_to(self.home.log_file("supervisor").open("a", encoding="utf-8", buffering=1))
            log_to(sys.stderr, logging.WARNING)

            def watch() -> None:
                try:
                    self._wait_ready(plan, timeout, None)
                    lock.release()
                    on_ready()
                except BaseException as error:
                    failure.append(error)
                    supervisor.stop("the start failed")

            watcher = threading.Thread(target=watch, daemon=True)
            supervisor.run(on_started=watcher.start)
            stopped_by_us = supervisor.stop_reason == "the start failed"
        if failure and stopped_by_us:
            raise failure[0]
        return True

    def _prepare_home(self) -> None:
        state = StackState.read(self.home.state_file)
        if state is None or not state.running():
            self.home.prepare()
            write_instance(self.home.dagster_home)

    def _plan(self) -> Plan:
        state = StackState.read(self.home.state_file)
        running = state is not None and state.running()
        external = self._external()
        if state is not None and running and state.external != external:
            now, then = (
                ("servers of your own", "local engines") if external else ("local engines", "your servers")
            )
            raise ConfigError(f"the stack runs with {then}, this shell asks for {now}: `stir down` first")
        if not running:
            self._end_leftovers(state)
        config = StackConfig.load(self.home.config_file) or StackConfig()
        present = self._healthy_services(state) if running and state else set()
        services = tuple(name for name in self._services if not (external and name in ENGINES))
        self._check_explicit_ports(config, present)
        # Every engine gets its port now, also one that starts later: the environment names all three.
        missing = [
            name for name in dict.fromkeys((*ENGINES, *services)) if name in PORTS and name not in present
        ]
        if external:
            missing = [name for name in missing if name not in ENGINES]
            external_environment(self.home, self._env)
        for note in assign_ports(config, missing, self._requested_ports()):
            self._notify(note)
        config.save(self.home.config_file)
        generation = self._write_wanted(services if not running else self._union(services), external)
        return Plan(services, generation, fresh=not running)

    def _external(self) -> bool:
        return uses_external_servers(self._env)

    def _requested_ports(self) -> dict[str, int]:
        # A port that `stir env` printed, or of a server of the user's own, is no wish for a local port.
        env = dict(self._env)
        if is_local_export(env) or self._external():
            env.pop(PORTS["clickhouse"].variable, None)
        return requested_ports(env, self._ports)

    def _check_explicit_ports(self, config: StackConfig, present: Collection[str]) -> None:
        for name, port in self._requested_ports().items():
            if name in present and config.ports.get(name) != port:
                raise ConfigError(
                    f"{name} runs on port {config.ports.get(name)} already, {port} was asked for: "
                    "`stir down` first, then `stir up` with the new port"
                )

    @staticmethod
    def _healthy_services(state: StackState) -> set[str]:
        return {
            name for name, service in state.services.items() if service.phase not in ("failed", "stopped")
        }

    def _union(self, services: Sequence[str]) -> tuple[str, ...]:
        before = json.loads(self.home.wanted_file.read_text())["services"]
        return tuple(name for name in SERVICES if name in before or name in services)

    def _write_wanted(self, services: Sequence[str], external: bool) -> int:
        generation = time.time_ns()
        wanted = {"services": list(services), "external": external, "generation": generation}
        temporary = self.home.wanted_file.with_suffix(".new")
        temporary.write_text(json.dumps(wanted))
        temporary.replace(self.home.wanted_file)
        return generation

    def _spawn_supervisor(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "stir_assets.local.supervisor", "--home", str(self.home.root)]
        if self._owner is not None:
            command += ["--owner-pid", str(self._owner)]
        with self.home.log_file("supervisor").open("ab") as output:
            return subprocess.Popen(
                command,
                env=self._env,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_ready(self, plan: Plan, timeout: float, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + timeout
        reported: set[str] = set()
        while True:
            state = StackState.read(self.home.state_file)
            if process is not None and process.poll() is not None:
                raise TransientError(f"the supervisor ended: see {self.home.log_file('supervisor')}")
            if state is not None and state.running() and state.generation >= plan.generation:
                if self._all_ready(plan, state, reported):
                    return
            elif not plan.fresh and (state is None or not state.running()):
                raise TransientError(f"the supervisor ended: see {self.home.log_file('supervisor')}")
            if time.monotonic() > deadline:
                raise TransientError(f"not everything answered within {timeout:.0f} s: see `stir status`")
            time.sleep(0.05)

    def _all_ready(self, plan: Plan, state: StackState, reported: set[str]) -> bool:
        services = [state.services[name] for name in plan.services]
        for service in services:
            if service.phase == "ready" and service.name not in reported:
                reported.add(service.name)
                self._notify(f"{service.name} is ready {service.address}".rstrip())
            if service.phase == "failed":
                raise TransientError(f"{service.name} did not start: {service.reason} (log: {service.log})")
        return all(service.phase in ("ready", "not answering") for service in services)

    # --- stop ----------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """Stop exactly what this home's supervisor started; returns the names of what was running.

        Also ends services that a killed supervisor left behind. Other processes are never touched.
        """
        state = StackState.read(self.home.state_file)
        if state is None:
            return []
        names = [
            name
            for name, service in state.services.items()
            if service.process is not None and service.process.alive()
        ]
        self._stop_supervisor()
        self._end_leftovers(StackState.read(self.home.state_file) or state)
        self.home.state_file.unlink(missing_ok=True)
        return names

    def _stop_supervisor(self) -> None:
        state = StackState.read(self.home.state_file)
        if state is None or state.supervisor.pid == os.getpid():
            return
        supervisor = state.supervisor
        supervisor.send(signal.SIGTERM)
        if not supervisor.wait(STOP_TIMEOUT_SECONDS):
            supervisor.send(signal.SIGKILL)
            supervisor.wait(5.0)
            self._end_leftovers(state)

    def _end_leftovers(self, state: StackState | None) -> None:
        """End what a supervisor that was killed could not end itself."""
        for service in reversed(list((state.services if state else {}).values())):
            if service.process is not None and service.process.alive():
                self._notify(
                    f"ending {service.name} (pid {service.process.pid}), left behind by a killed supervisor"
                )
                gentle = signal.SIGINT if service.name == "postgres" else signal.SIGTERM
                stop_session(service.process, gentle=gentle, timeout=30.0)
        if self.home.postgres_data.is_dir():
            from stir_assets.local.engine_postgres import stop_orphans

            stop_orphans(self.home.postgres_data)

    # --- look ----------------------------------------------------------------------------------------

    def state(self) -> StackState | None:
        """What the running supervisor says; None if none runs in this home."""
        state = StackState.read(self.home.state_file)
        return state if state is not None and state.running() else None

    def environment(self) -> dict[str, str]:
        """The variables with which any client reaches the stack; `ConfigError` if it does not run."""
        if self._external():
            return load_stack_environment({**self._env, "STIR_HOME": str(self.home.root)})
        config = StackConfig.load(self.home.config_file)
        if config is None or self.state() is None:
            raise ConfigError(f"no stack runs in {self.home.root}: start it with `stir up`")
        return local_environment(self.home, config)

    @contextmanager
    def _command_lock(self) -> Iterator[CommandLock]:
        lock = CommandLock(self.home.command_lock, self._notify)
        lock.acquire()
        try:
            yield lock
        finally:
            lock.release()


class CommandLock:
    """One `stir up` at a time in a home; a second waits for the first."""

    def __init__(self, path: Path, notify: Notify) -> None:
        self._path = path
        self._notify = notify
        self._file = None

    def acquire(self) -> None:
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._notify("another `stir up` is at work in this home; waiting for it")
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __repr__(self) -> str:
        return f"CommandLock({self._path})"
