"""A discrete-event simulation of the graph: sources that move, runs that take time, and somebody who decides.

The decisions under freshness terms are the scheduler's own (`Planner`, `split`): nothing of them is written twice.
Time jumps from one moment at which something can change to the next, always on the scheduler's tick.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stir_assets.core.scheduling.data_time import contained
from stir_assets.core.scheduling.lag import LagHistory
from stir_assets.core.scheduling.model import Build, Graph, Lane, Policy, State, Verdict
from stir_assets.core.scheduling.planner import Planner
from stir_assets.core.scheduling.runs import PRIORITY, split

_STREAM = 60.0
"""Sources with news at least this often are streams; the moments of all others are looked at one by one."""


@dataclass(frozen=True)
class Machine:
    """What runs there at once: runs, heavy runs among them, assets within a run.

    `start_up` is what it costs to start a run, in seconds of work; how long a run waits before its first query
    is the policy's `overhead`.
    """

    runs: int = 6
    heavy_runs: int = 1
    threads: int = 4
    start_up: float = 5.0


@dataclass(frozen=True)
class Setting:
    """The world of a simulation.

    `periods` is the seconds between two news of each source; a source without one never changes. `seconds` are
    run times by asset. `families` as the sensor cuts runs by.
    """

    graph: Graph
    periods: Mapping[str, float]
    seconds: Mapping[str, float] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    machine: Machine = field(default_factory=Machine)

    def seconds_of(self, key: str) -> float:
        """Run time of one asset."""
        return self.seconds.get(key, self.policy.default_seconds)


@dataclass(frozen=True)
class Request:
    """A run asked for."""

    at: float
    lane: Lane
    keys: tuple[str, ...]
    name: str = ""


@dataclass
class Outcome:
    """What happened from `measure_from` on: requests in order, work done, and the lag of each asset over time."""

    requests: list[Request] = field(default_factory=list)
    builds: dict[str, int] = field(default_factory=dict)
    """How often each asset was built."""
    start_up_seconds: float = 0.0
    """Work of starting runs."""
    asset_seconds: float = 0.0
    """Run time of all assets built."""
    ticks: int = 0
    lags: dict[str, LagHistory] = field(default_factory=dict)

    @property
    def work_seconds(self) -> float:
        """Run time of all assets built, and what starting the runs cost."""
        return self.asset_seconds + self.start_up_seconds


class Simulation:
    """One world. `run_terms` lets the scheduler decide, `run_schedule` a list of start times.

    `never_built` are assets that the deciding side does not know; they stay as they are and age nobody.
    """

    def __init__(
        self,
        setting: Setting,
        start: float,
        measure_from: float | None = None,
        never_built: frozenset[str] = frozenset(),
    ) -> None:
        self.setting, self.start, self.now = setting, start, start
        self.measured_from = start if measure_from is None else measure_from
        self.outcome = Outcome()
        self._version = 0
        self._never = never_built
        self._builds: dict[str, Build] = {}
        self._queue: list[tuple[int, int, Request]] = []
        self._running: dict[int, tuple[Request, set[str]]] = {}
        self._ends: list[tuple[float, int, int, str, Build]] = []
        self._count = 0
        self._finished = True
        self._periods = sorted(set(setting.periods.values()))
        nodes = setting.graph.nodes.items()
        self._sources = [(key, setting.periods.get(key)) for key, node in nodes if not node.managed]
        self._next_move = -math.inf
        self._planner = Planner(setting.graph, setting.policy)
        self._first_state()

    # -- the world

    def _first_state(self) -> None:
        """Everything built once, just now, from what there is."""
        self._move_sources()
        for key in self.setting.graph.order:
            node = self.setting.graph.nodes[key]
            if node.managed:
                self._finish(key, self._build(key, self._builds, self.now))

    def _move_sources(self) -> None:
        if self.now < self._next_move:
            return
        self._next_move = min((self._news(period) for period in self._periods), default=math.inf)
        for key, period in self._sources:
            index = int(self.now // period) if period else 0
            known = self._builds.get(key)
            if known is None or known.version != index:
                at = index * period if period else self.start
                self._builds[key] = Build(at, index, data_time=at if period else None)

    def _build(self, key: str, inputs: Mapping[str, Build], at: float) -> Build:
        node = self.setting.graph.nodes[key]
        read = {dep: inputs[dep].version for dep in node.deps if dep in inputs}
        times = {dep: inputs[dep].data_time for dep in node.deps if dep in inputs}
        # What nobody ever builds again stands still, and ages nobody.
        time = None if key in self._never else contained(self.setting.graph, key, times)
        return Build(at, 0, read=read, data_time=time)

    def _finish(self, key: str, build: Build) -> None:
        self._version += 1
        self._finished = True
        self._builds[key] = replace(build, version=self._version)
        if build.data_time is not None:
            history = self.outcome.lags.setdefault(key, LagHistory(self.measured_from))
            history.served(build.built_at, build.data_time)

    # -- runs

    def busy(self) -> frozenset[str]:
        """Assets of runs that wait or go on, and are not built yet."""
        waiting = {key for _, _, request in self._queue for key in request.keys}
        return frozenset(waiting.union(*(left for _, left in self._running.values())))

    def ask(self, request: Request) -> None:
        """Puts a run in the queue."""
        if self.now >= self.measured_from:
            self.outcome.requests.append(request)
        self._count += 1
        heapq.heappush(self._queue, (-PRIORITY[request.lane], self._count, request))

    def _start_runs(self) -> None:
        waiting: list[tuple[int, int, Request]] = []
        while self._queue and len(self._running) < self.setting.machine.runs:
            item = heapq.heappop(self._queue)
            heavy = sum(request.lane is Lane.HEAVY for request, _ in self._running.values())
            if item[2].lane is Lane.HEAVY and heavy >= self.setting.machine.heavy_runs:
                waiting.append(item)
            else:
                self._start_run(item[1], item[2])
        for item in waiting:
            heapq.heappush(self._queue, item)

    def _start_run(self, number: int, request: Request) -> None:
        """Reads the inputs as they are now and spreads the assets over the run's threads."""
        begins = self.now + self.setting.policy.overhead
        free = [begins] * self.setting.machine.threads
        inputs = dict(self._builds)
        counts = self.now >= self.measured_from
        self.outcome.start_up_seconds += self.setting.machine.start_up if counts else 0.0
        own = set(request.keys)
        for place, key in enumerate(request.keys):
            deps = [inputs[dep].built_at for dep in self.setting.graph.nodes[key].deps if dep in own]
            seconds = self.setting.seconds_of(key)
            ends = max(heapq.heappop(free), begins, *deps) + seconds
            heapq.heappush(free, ends)
            # Of its own inputs it reads what this run makes: the version is known only when that is done.
            inputs[key] = self._build(key, inputs, ends)
            heapq.heappush(self._ends, (ends, place, number, key, inputs[key]))
            if counts:
                self.outcome.builds[key] = self.outcome.builds.get(key, 0) + 1
                self.outcome.asset_seconds += seconds
        self._running[number] = (request, own)

    def _end_due(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            _, _, number, key, build = heapq.heappop(self._ends)
            request, left = self._running[number]
            own = set(request.keys)
            read = {
                dep: self._builds[dep].version if dep in own else version
                for dep, version in build.read.items()
            }
            self._finish(key, replace(build, read=read))
            left.discard(key)
            if not left:
                del self._running[number]

    def _settle(self, moment: float) -> None:
        """Lets time pass until `moment`, with all ends and starts on the way."""
        while True:
            ends = self._ends[0][0] if self._ends else math.inf
            self.now = min(moment, ends)
            self._move_sources()
            self._end_due()
            self._start_runs()
            if self.now >= moment:
                return

    # -- who decides

    def run_terms(self, seconds: float, *, every_tick: bool = False) -> Outcome:
        """The scheduler decides, for `seconds`.

        `every_tick` does not jump, and looks at every asset each time: slow, to check that both are sound.
        """
        until = self.start + seconds
        tick = self.start
        while tick <= until:
            self._settle(tick)
            if every_tick:
                self._planner = Planner(self.setting.graph, self.setting.policy)
            wake = self._decide()
            poll = self.setting.policy.poll
            tick = tick + poll if every_tick else self._on_grid(max(wake, tick + poll))
        self._settle(until)
        return self._close(until)

    def _decide(self) -> float:
        """One tick; the next moment at which the answer can be another one."""
        setting = self.setting
        self.outcome.ticks += 1
        state = State(self._builds, self.busy(), {}, setting.seconds)
        decided = self._planner.plan(self.now, state)
        for lane, keys in split(decided.requests, setting.graph, setting.families):
            self.ask(Request(self.now, lane, tuple(keys)))
        self._start_runs()
        wakes = [self._ends[0][0]] if self._ends else []
        idle: list[str] = []
        for key, decision in decided.decisions.items():
            if decision.due_at is None:
                continue
            if decision.due_at > self.now:
                wakes.append(decision.due_at)
            if decision.verdict is Verdict.NOT_ADMITTED or (
                decision.verdict is Verdict.UPSTREAM_BUSY and not self._ends
            ):
                return self.now
            if decision.verdict is Verdict.NO_NEW_DATA:
                idle.append(key)
        wakes += [self._news(period) for period in self._periods if period > _STREAM]
        if self._finished:
            # The first news after a build counts from the data it has, which moves its due time forward.
            wakes.append(self._news(_STREAM))
            self._finished = False
        if idle:
            wakes.append(self._next_news(idle))
        return min(wakes, default=math.inf)

    def _news(self, period: float) -> float:
        return (math.floor(self.now / period) + 1) * period

    def _next_news(self, keys: Iterable[str]) -> float:
        """When something that these assets would read, or pull along, can change without a run ending."""
        graph, seen, todo = self.setting.graph, set(keys), list(keys)
        pulls = graph.pulls(self.setting.policy, self.setting.seconds)
        soonest = math.inf
        while todo:
            node = graph.nodes[todo.pop()]
            for dep in node.deps:
                if period := self.setting.periods.get(dep):
                    soonest = min(soonest, self._news(period))
            for dep, rest in pulls[node.key]:
                ready = self._builds[dep].built_at + rest
                if ready > self.now:
                    soonest = min(soonest, ready)
                elif dep not in seen:
                    seen.add(dep)
                    todo.append(dep)
        return soonest

    def _on_grid(self, moment: float) -> float:
        if math.isinf(moment):
            return moment
        poll = self.setting.policy.poll
        return self.start + math.ceil(round((moment - self.start) / poll, 6)) * poll

    def run_schedule(
        self, seconds: float, starts: Iterable[tuple[float, str, Sequence[str]]], lane: Callable[[str], Lane]
    ) -> Outcome:
        """Start times decide: `(moment, name, assets)`. A name whose last run still goes on is skipped."""
        until = self.start + seconds
        for moment, name, keys in sorted(starts, key=lambda item: (item[0], item[1])):
            if not self.start < moment <= until:
                continue
            self._settle(moment)
            active = {request.name for request, _ in self._running.values()}
            active |= {request.name for _, _, request in self._queue}
            if name in active:
                continue
            ordered = sorted(keys, key=self.setting.graph.position.__getitem__)
            self.ask(Request(self.now, lane(name), tuple(ordered), name))
            self._start_runs()
        self._settle(until)
        return self._close(until)

    def _close(self, until: float) -> Outcome:
        for history in self.outcome.lags.values():
            history.close(until)
        return self.outcome
