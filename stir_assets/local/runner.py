"""One thread per service: start, wait until it answers, watch, restart with backoff, stop."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import psutil

from stir_assets.errors import PermanentError
from stir_assets.local.home import StackHome
from stir_assets.local.logs import last_words
from stir_assets.local.processes import ProcessRef, group_members, stop_session
from stir_assets.local.service import Service
from stir_assets.local.state import Phase, ServiceState, now_text

# First start: give up soon and say why. Once it has run, never give up.
FIRST_START_ATTEMPTS = 3
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A service that ran this long was healthy: its next crash starts the backoff anew.
HEALTHY_SECONDS = 120.0
# Probes missed in a row before it counts as not answering, and before it is restarted. The second is
# generous (4 minutes and more): an engine busy with a big query must not be killed for being slow.
MISSED_PROBES_REPORTED = 2
MISSED_PROBES_FATAL = 24

log = logging.getLogger("stir.supervisor")


class _Stopped(Exception):
    """The stack is being stopped while this service was starting."""


class ServiceRunner(threading.Thread):
    """Keeps one service running until `stop()`. Every change is reported as a `ServiceState`."""

    def __init__(
        self,
        service: Service,
        home: StackHome,
        *,
        report: Callable[[ServiceState], None],
        is_ready: Callable[[str], bool],
        wanted: Collection[str],
    ) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service = service
        self.gave_up = False
        self._log_file = home.log_file(service.name)
        self._log_start = 0
        self._report = report
        self._is_ready = is_ready
        self._after = [name for name in service.after if name in wanted]
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._ref: ProcessRef | None = None
        self._state = ServiceState(name=service.name, address=service.address, log=str(self._log_file))

    def stop(self) -> None:
        """Ask for the end; `join()` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        attempts = 0
        ever_ready = False
        while not self._stopping.is_set():
            ready_at: float | None = None
            try:
                self._wait_for_others()
                self._start()
                self._wait_until_ready()
                ready_at = time.monotonic()
                ever_ready = True
                reason = self._watch()
            except _Stopped:
                break
            except PermanentError as error:
                reason = str(error)
                if not ever_ready:
                    attempts = FIRST_START_ATTEMPTS
            except Exception as error:
                reason = f"{error}"
                if not isinstance(error, StartError):
                    log.exception("%s", self.service.name)
            self._end_process()
            healthy = ready_at is not None and time.monotonic() - ready_at > HEALTHY_SECONDS
            attempts = 1 if healthy else attempts + 1
            if not ever_ready and attempts >= FIRST_START_ATTEMPTS:
                self.gave_up = True
                self._set("failed", reason=reason)
                return
            self._state.restarts += 1
            self._set("restarting", reason=reason)
            self._stopping.wait(BACKOFF_SECONDS[min(attempts, len(BACKOFF_SECONDS)) - 1])
        self._end_process()
        self._set("stopped")

    def _wait_for_others(self) -> None:
        while not all(self._is_ready(name) for name in self._after):
            if self._stopping.wait(0.1):
                raise _Stopped

    def _start(self) -> None:
        self._set("starting")
        self.service.prepare()
        command = self.service.command()
        with self._log_file.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.service.environment()),
                cwd=self.service.working_directory(),
                start_new_session=True,
            )
        try:
            self._ref = ProcessRef.of(self._process.pid)
        except psutil.Error:
            raise StartError(self._exit_reason()) from None
        self._set("starting")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.service.start_timeout
        pause = 0.03
        while True:
            self._check_alive()
            try:
                self.service.probe()
                self.service.provision()
                break
            except PermanentError:
                raise
            except Exception as error:
                self._check_alive()
                if time.monotonic() > deadline:
                    raise StartError(
                        f"did not answer within {self.service.start_timeout:.0f} s ({error}); "
                        f"{self._last_words()}"
                    ) from error
            if self._stopping.wait(pause):
                raise _Stopped
            pause = min(pause * 1.5, 0.5)
        self._set("ready", reason=self._state.reason if self._state.restarts else "")

    def _watch(self) -> str:
        """Returns why it has to be restarted."""
        missed = 0
        next_probe = time.monotonic() + self.service.probe_interval
        while not self._stopping.wait(0.1):
            if self._process is not None and self._process.poll() is not None:
                return self._exit_reason()
            if time.monotonic() < next_probe:
                continue
            next_probe = time.monotonic() + self.service.probe_interval
            try:
                self.service.probe()
            except Exception as error:
                missed += 1
                if missed >= MISSED_PROBES_FATAL:
                    return f"did not answer {missed} times in a row: {error}"
                if missed >= MISSED_PROBES_REPORTED:
                    self._set("not answering", reason=str(error))
                continue
            if missed >= MISSED_PROBES_REPORTED:
                self._set("ready")
            missed = 0
        raise _Stopped

    def _check_alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise StartError(self._exit_reason())

    def _exit_reason(self) -> str:
        code = self._process.wait() if self._process is not None else 0
        if code < 0:
            try:
                how = f"killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"killed by signal {-code}"
        else:
            how = f"exited with code {code}"
        # Who is killed from outside has no last words; the log's end would only mislead.
        words = "" if code == -signal.SIGKILL else self._last_words()
        return f"{how}: {words}" if words else how

    def _last_words(self) -> str:
        return last_words(self._log_file, since=self._log_start)

    def _end_process(self) -> None:
        process, ref = self._process, self._ref
        self._process = self._ref = None
        if process is not None and ref is not None:
            if process.poll() is None:
                stop_session(ref, gentle=self.service.stop_signal, timeout=self.service.stop_timeout)
            else:
                for member in group_members(ref):
                    member.send(signal.SIGKILL)
            process.wait()
        try:
            self.service.clean_up()
        except Exception:
            log.exception("%s: cleaning up", self.service.name)

    def _set(self, phase: Phase, *, reason: str | None = None) -> None:
        if phase != self._state.phase:
            self._state.since = now_text()
        self._state.phase = phase
        self._state.process = self._ref
        if reason is not None:
            self._state.reason = reason
        self._report(replace(self._state))


class StartError(Exception):
    """The program ended or did not answer before it was ready; the message has its last words."""
