"""The zygote: a process that has imported everything once and forks a copy of itself for every run.

A run then starts in a few hundredths of a second instead of the six that imports take. What makes forking
safe: this process has one thread, opens no connection to any server and reads its socket one request at a
time; every run is a process of its own, so that a crash harms nobody else.

It never executes code that has changed since it was loaded: the files are compared before every fork and
every few seconds, and a changed zygote replaces itself by `exec`, which keeps its children. Until the new one
is ready, and while the code does not load, it refuses; the launcher then takes the stock path.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import psutil

from stir_assets.launch.code_version import code_version
from stir_assets.launch.protocol import receive, send
from stir_assets.launch.registry import Registry, RunWorker

if TYPE_CHECKING:
    from dagster._core.definitions.reconstruct import ReconstructableRepository

CHECK_SECONDS = 2.0
# A cancelled run that still lives after this is killed; run monitoring frees its place after 60 s.
CANCEL_SECONDS = 45.0
STOP_SECONDS = 20.0
_LISTEN_FD = "STIR_ZYGOTE_LISTEN_FD"

log = logging.getLogger("stir.launch")


class Zygote:
    """Listens, forks, reaps. `load` imports the code and returns what the children execute."""

    def __init__(
        self, registry: Registry, folders: list[Path], load: Callable[[], ReconstructableRepository]
    ) -> None:
        self._registry = registry
        self._folders = folders
        self._load = load
        self._repository: ReconstructableRepository | None = None
        self._problem = ""
        self._version = ""
        self._workers: dict[int, RunWorker] = {}
        self._kill_at: dict[int, float] = {}
        self._stopping = False

    def run(self) -> None:
        """Serves until SIGTERM, then interrupts the runs that are left and waits for them."""
        self._registry.prepare()
        listener = _listener(self._registry.socket_path)
        self._adopt_children()
        wakeup = _wake_on_signals(self._stop)
        self._preload()
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(wakeup, selectors.EVENT_READ)
            next_check = 0.0
            while not self._stopping:
                for key, _ in selector.select(timeout=1.0):
                    if key.fileobj is listener:
                        self._serve(listener)
                    else:
                        wakeup.recv(4096)
                self._reap()
                if time.monotonic() >= next_check:
                    self._replace_when_changed(listener)
                    next_check = time.monotonic() + CHECK_SECONDS
        listener.close()
        self._end_workers()

    # What the code is

    def _preload(self) -> None:
        started = time.monotonic()
        self._version = code_version(self._folders)
        try:
            self._repository = self._load()
        except Exception:
            self._problem = f"the code does not load:\n{traceback.format_exc(limit=-5)}"
            log.error("%s", self._problem)
            return
        if threading.active_count() > 1:
            names = ", ".join(thread.name for thread in threading.enumerate())
            self._problem = f"loading the code started threads ({names}); forking would not be safe"
            log.error("%s", self._problem)
            return
        # Objects of before the fork are never collected: a collection would write to every page of them.
        gc.collect()
        gc.freeze()
        log.info(
            "ready after %.1f s, %d MB, %d native threads",
            time.monotonic() - started,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1,  # noqa: PTH208
        )

    def _replace_when_changed(self, listener: socket.socket) -> None:
        current = code_version(self._folders)
        if current == self._version:
            return
        # A commit or an editor writes many files: wait for a quiet moment.
        time.sleep(0.5)
        if code_version(self._folders) != current:
            return
        log.info("the code has changed: loading it again")
        listener.set_inheritable(True)
        os.environ[_LISTEN_FD] = str(listener.fileno())
        signal.set_wakeup_fd(-1)
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, "-m", "stir_assets.launch.zygote", *sys.argv[1:]])  # noqa: S606

    # Requests

    def _serve(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2.0)
            try:
                answer = self._answer(receive(connection), (listener, connection))
                send(connection, answer)
            except (OSError, ValueError) as error:
                log.warning("a request was dropped: %s", error)

    def _answer(self, message: dict[str, Any], sockets: tuple[socket.socket, ...]) -> dict[str, Any]:
        operation = message.get("op")
        if operation == "ping":
            return {"ok": not self._problem, "reason": self._problem, "runs": len(self._workers)}
        if operation == "run":
            return self._fork(
                str(message["run_id"]), str(message["instance_ref"]), str(message["module"]), sockets
            )
        if operation == "cancel":
            return self._cancel(str(message["run_id"]))
        return {"ok": False, "reason": f"unknown operation {operation!r}"}

    def _fork(
        self, run_id: str, instance_ref: str, module: str, sockets: tuple[socket.socket, ...]
    ) -> dict[str, Any]:
        if refusal := self._refusal(module):
            return {"ok": False, "reason": refusal}
        if not self._registry.claim(run_id):
            return {"ok": False, "reason": f"run {run_id} was started already"}
        repository = self._repository
        assert repository is not None  # noqa: S101  # or there would have been a refusal
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                from stir_assets.launch.worker import execute

                for inherited in sockets:
                    inherited.close()
                code = execute(repository, run_id, instance_ref)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        worker = RunWorker(run_id, pid, psutil.Process(pid).create_time())
        self._workers[pid] = worker
        self._registry.write(worker)
        return {"ok": True, "pid": pid}

    def _refusal(self, module: str) -> str:
        if self._problem:
            return self._problem.splitlines()[0]
        loaded = getattr(self._repository and self._repository.pointer, "module", None)
        if loaded != module:
            return f"it has loaded {loaded}, the run wants {module}"
        if code_version(self._folders) != self._version:
            return "the code has changed and is being loaded again"
        return ""

    def _cancel(self, run_id: str) -> dict[str, Any]:
        for pid, worker in self._workers.items():
            if worker.run_id == run_id:
                os.kill(pid, signal.SIGINT)
                self._kill_at.setdefault(pid, time.monotonic() + CANCEL_SECONDS)
                return {"ok": True}
        return {"ok": False, "reason": f"run {run_id} is not running here"}

    # Children

    def _adopt_children(self) -> None:
        """Children of before an `exec` are still ours."""
        for worker in self._registry.workers():
            if worker.alive() and psutil.Process(worker.pid).ppid() == os.getpid():
                self._workers[worker.pid] = worker
        self._registry.forget_old()

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self._kill_at.pop(pid, None)
            if (worker := self._workers.pop(pid, None)) is not None:
                self._record_end(worker, os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
        now = time.monotonic()
        for pid, when in list(self._kill_at.items()):
            if now >= when:
                log.warning("run %s does not end: killing it", self._workers[pid].run_id)
                self._kill_at[pid] = now + CANCEL_SECONDS
                os.kill(pid, signal.SIGKILL)

    def _record_end(self, worker: RunWorker, code: int, peak_bytes: int) -> None:
        ended = replace(worker, exit_code=code, peak_bytes=peak_bytes, ended=time.time())
        self._registry.write(ended)
        log.info(
            "run %s ended with %d after %.1f s, at most %d MB",
            worker.run_id,
            code,
            time.time() - worker.created,
            peak_bytes // 2**20,
        )
        if code != 0 and not self._problem:
            self._sweep(worker.run_id)

    def _sweep(self, run_id: str) -> None:
        """A crashed run could not end its queries. In a child: this process opens no connections."""
        if os.fork() == 0:
            try:
                from stir_assets.launch.queries import kill_queries_of_run

                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                kill_queries_of_run(run_id)
            finally:
                os._exit(0)

    def _end_workers(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for pid in self._workers:
            os.kill(pid, signal.SIGINT)
        while self._workers and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.1)
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        while self._workers:
            self._reap()
            time.sleep(0.05)

    def _stop(self) -> None:
        self._stopping = True


def _listener(path: Path) -> socket.socket:
    """The socket handed down by `exec`, or a new one in place of whatever a dead zygote left."""
    if inherited := os.environ.pop(_LISTEN_FD, None):
        listener = socket.socket(fileno=int(inherited))
        listener.set_inheritable(False)
    else:
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(64)
    listener.setblocking(True)
    return listener


def _wake_on_signals(stop: Callable[[], None]) -> socket.socket:
    """A socket that becomes readable with every signal, so that the loop needs no polling."""
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    receiver.setblocking(False)
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)

    def on_term(_number: int, _frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return receiver


def load_module(module: str, preload: str | None = None) -> ReconstructableRepository:
    """Imports the definitions and all that a run needs; `preload` (`module:function`) is called at the end."""
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.definitions.reconstruct import ReconstructableRepository
    from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module

    importlib.import_module("stir_assets.launch.worker")
    target = loadable_targets_from_python_module(module, working_directory=None)[0]
    repository = ReconstructableRepository(
        ModuleCodePointer(module, target.attribute, None), executable_path=sys.executable
    )
    repository.get_definition()
    if preload is not None:
        name, _, function = preload.partition(":")
        getattr(importlib.import_module(name), function)()
    return repository


def main() -> None:
    """`python -m stir_assets.launch.zygote --folder DIR --module M [--preload M:F] [--watch DIR]...`"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--module", required=True)
    parser.add_argument("--preload")
    parser.add_argument("--watch", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(message)s", stream=sys.stdout
    )
    Zygote(
        Registry(arguments.folder),
        arguments.watch,
        lambda: load_module(arguments.module, arguments.preload),
    ).run()


if __name__ == "__main__":
    main()
