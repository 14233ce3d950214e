"""One service under its runner: restarts, backoff, giving up, not answering. The programs are real processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stir_assets.errors import ConfigError
from stir_assets.local import runner as runner_module
from stir_assets.local.home import StackHome
from stir_assets.local.runner import ServiceRunner
from stir_assets.local.service import Service
from stir_assets.local.state import ServiceState


class Program(Service):
    """A Python one-liner as a service; `answer` decides whether it is ready."""

    name = "program"
    probe_interval = 0.05
    start_timeout = 1.0
    stop_timeout = 0.5

    def __init__(self, code: str, answer: Callable[[], None] = lambda: None) -> None:
        super().__init__(0)
        self._code = code
        self._answer = answer
        self.provisioned = 0

    def command(self) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", self._code]

    def probe(self) -> None:
        self._answer()

    def provision(self) -> None:
        self.provisioned += 1


class Watched:
    """A running ServiceRunner and all states that it reported."""

    def __init__(self, service: Service, home: StackHome, ready: Callable[[str], bool]) -> None:
        self.reports: list[ServiceState] = []
        self.runner = ServiceRunner(
            service, home, report=self.reports.append, is_ready=ready, wanted=["program", "other"]
        )
        self.runner.start()

    def phases(self) -> list[str]:
        return [state.phase for state in self.reports]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.reports
            time.sleep(0.01)


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watched]]:
    monkeypatch.setattr(runner_module, "BACKOFF_SECONDS", (0.01, 0.02))
    home = StackHome(tmp_path)
    home.logs.mkdir()
    started: list[Watched] = []

    def start(service: Service, ready: Callable[[str], bool] = lambda _name: True) -> Watched:
        started.append(Watched(service, home, ready))
        return started[-1]

    yield start
    for watched in started:
        watched.runner.stop()
        watched.runner.join(5)
        assert not watched.runner.is_alive()


SLEEP = "import time; time.sleep(60)"


def test_program_that_never_comes_up_fails_after_three_starts_with_its_last_words(
    watch: Callable[..., Watched],
) -> None:
    def refuse() -> None:
        raise ConnectionRefusedError("connection refused")

    watched = watch(Program("import sys; sys.exit('FATAL: no such thing')", refuse))
    watched.wait_for(lambda: "failed" in watched.phases())
    last = watched.reports[-1]
    assert "exited with code 1: FATAL: no such thing" in last.reason
    assert last.restarts == 2
    assert watched.runner.gave_up


def test_permanent_error_is_not_tried_again(watch: Callable[..., Watched]) -> None:
    class Impossible(Program):
        def prepare(self) -> None:
            raise ConfigError("data is of another version")

    watched = watch(Impossible(SLEEP))
    watched.wait_for(lambda: "failed" in watched.phases())
    assert watched.phases() == ["starting", "failed"]
    assert watched.reports[-1].reason == "data is of another version"


def test_program_that_has_run_is_restarted_for_ever(watch: Callable[..., Watched]) -> None:
    program = Program("import time; time.sleep(0.15); raise SystemExit(7)")
    watched = watch(program)
    watched.wait_for(lambda: watched.reports[-1].restarts > 4)
    assert "failed" not in watched.phases()
    assert program.provisioned > 3, "what a restart loses is made again"
    assert any("exited with code 7" in state.reason for state in watched.reports)


def test_program_that_does_not_answer_is_reported_and_later_restarted(
    watch: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "MISSED_PROBES_FATAL", 6)
    silent_from = time.monotonic() + 0.4

    def answer() -> None:
        if silent_from < time.monotonic() < silent_from + 1.5:
            raise TimeoutError("no answer within 5 s")

    watched = watch(Program(SLEEP, answer))
    watched.wait_for(lambda: watched.phases().count("ready") == 2)
    phases = watched.phases()
    assert phases.index("not answering") < phases.index("restarting")
    assert any("did not answer 6 times in a row: no answer" in state.reason for state in watched.reports)


def test_slow_answer_once_is_no_incident(watch: Callable[..., Watched]) -> None:
    calls = 0

    def answer() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise TimeoutError("busy")

    watched = watch(Program(SLEEP, answer))
    watched.wait_for(lambda: calls > 6)
    assert watched.phases() == ["starting", "starting", "ready"]


def test_service_waits_for_those_it_needs(watch: Callable[..., Watched]) -> None:
    class Second(Program):
        after = ("other",)

    ready: set[str] = set()
    watched = watch(Second(SLEEP), lambda name: name in ready)
    time.sleep(0.3)
    assert watched.phases() == []
    ready.add("other")
    watched.wait_for(lambda: "ready" in watched.phases())


def test_stop_ends_children_too_even_if_the_program_ignores_the_signal(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    marker = tmp_path / "child"
    code = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); "
        f"open({str(marker)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    )
    watched = watch(Program(code))
    watched.wait_for(lambda: marker.exists() and marker.read_text() != "")
    child = int(marker.read_text())
    watched.runner.stop()
    watched.runner.join(5)
    assert watched.reports[-1].phase == "stopped"
    watched.wait_for(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
