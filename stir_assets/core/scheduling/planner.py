"""Decides from freshness terms what to run now. Pure and stateless: the same state gives the same plan.

One tick, in order:

1. staleness: an asset is stale when an input's version moved past the one it read (exact provenance, so an
   update during a run is not lost) or when an input that it pulls along is itself stale;
2. due time: reckoned back from the promise by the measured run times of the stale path in front of it;
3. by lane and urgency, each due asset with its stale inputs, unless something of it is running or has failed;
4. what is nearly due and reads the same as a run of its lane goes along.
"""

from __future__ import annotations

from dataclasses import dataclass

from stir_assets.core.freshness import DeadlineTerms
from stir_assets.core.scheduling.data_time import contained
from stir_assets.core.scheduling.model import (
    Build,
    Decision,
    Graph,
    Lane,
    Node,
    Plan,
    Policy,
    State,
    Verdict,
)

_MIN_TICKS_BETWEEN = 2


def plan(now: float, graph: Graph, state: State, policy: Policy | None = None) -> Plan:
    """The plan of one tick at `now`. Costs about 2 ms for 200 assets and 15 ms for 1,000."""
    return _Tick(now, graph, state, policy or Policy()).run()


def input_changed(graph: Graph, state: State, key: str, dep: str) -> bool:
    """Whether `dep` holds something that `key` has not read yet."""
    mine, theirs = state.builds.get(key), state.builds.get(dep)
    if theirs is None:
        return False
    if mine is None:
        return True
    seen = mine.read.get(dep)
    if seen is None:
        # Built before this dependency existed, or by hand without provenance.
        return theirs.built_at > mine.built_at
    if theirs.version <= seen:
        return False
    same_data = theirs.data_version is not None and theirs.data_version == mine.read_data_versions.get(dep)
    return not same_data


@dataclass
class _Due:
    key: str
    at: float
    """When the run must start."""
    urgency: float
    """Slack left as a share of the promise; the smallest goes first."""


class _Tick:
    def __init__(self, now: float, graph: Graph, state: State, policy: Policy) -> None:
        self.now, self.graph, self.state, self.policy = now, graph, state, policy
        self.pulls = graph.pulls(policy, state.seconds)
        self.pulled: dict[str, list[str]] = {}
        """Inputs that a run of each asset takes along when they are stale."""
        self.stale: dict[str, bool] = {}
        self.path: dict[str, float] = {}
        self.possible: dict[str, float | None] = {}
        self.requests: dict[str, Lane] = {}
        self.decisions: dict[str, Decision] = {}
        self.heartbeats: set[str] = set()

    def run(self) -> Plan:
        for key in self.graph.order:
            self._look_at(key)
        candidates = [due for key in self.graph.order if (due := self._due(key))]
        # Short promises first: a batch, however late, yields to them.
        lanes = list(Lane)
        candidates.sort(key=lambda due: (lanes.index(self.graph.nodes[due.key].lane), due.urgency, due.key))
        ready = [due for due in candidates if due.at <= self.now]
        for due in ready:
            self._request(due, Verdict.REQUESTED)
        self._take_along([due for due in candidates if due.at > self.now])
        for due in candidates:
            self.decisions.setdefault(due.key, Decision(Verdict.FRESH, due_at=due.at))
        return Plan(self.requests, self.decisions, frozenset(self.heartbeats))

    # -- staleness

    def _look_at(self, key: str) -> None:
        node = self.graph.nodes[key]
        build = self.state.builds.get(key)
        if not node.managed:
            self.stale[key], self.path[key] = False, 0.0
            self.possible[key] = build.data_time if build else None
            return
        builds, longest = self.state.builds, 0.0
        pulled = self.pulled[key] = [
            dep
            for dep, rest in self.pulls[key]
            if (found := builds.get(dep)) is None or self.now - found.built_at >= rest
        ]
        stale = build is None
        for dep in pulled:
            if self.stale[dep]:
                stale, longest = True, max(longest, self.path[dep])
        self.stale[key] = stale or any(input_changed(self.graph, self.state, key, dep) for dep in node.deps)
        self.path[key] = self._seconds(key) + longest
        self.possible[key] = contained(self.graph, key, self.possible)

    def _seconds(self, key: str) -> float:
        return self.state.seconds.get(key, self.policy.default_seconds)

    # -- due time

    def _due(self, key: str) -> _Due | None:
        """When `key` must start; None when it promises nothing or is not ours."""
        node, build = self.graph.nodes[key], self.state.builds.get(key)
        if not node.managed:
            self.decisions[key] = Decision(Verdict.WATCHED)
            return None
        if node.terms is None:
            self.decisions[key] = Decision(Verdict.NO_PROMISE)
            return None
        if build is None:
            # Never built: due at once, but after every promise that is about to break.
            return _Due(key, self.now, 1.0 + node.longest_lag / (365 * 86_400))
        if isinstance(node.terms, DeadlineTerms) and node.terms.every is None:
            return self._deadline_due(node, node.terms, build)
        return self._window_due(node, build)

    def _window_due(self, node: Node, build: Build) -> _Due:
        pace = node.pace
        lead = min(
            self.path[node.key] * self.policy.margin + self.policy.poll + self.policy.overhead, pace / 2
        )
        possible = self.possible[node.key]
        oldest = build.built_at
        if build.data_time is not None and possible is not None and possible > build.data_time:
            oldest = min(oldest, build.data_time)
        # A source that always lags, or one that is dead, must not make its readers run without end.
        earliest = build.built_at + (pace - lead) / 2
        at = max(oldest + pace - lead, earliest)
        if node.terms is not None and node.terms.every is not None:
            # An aim is worth its share of the time and no more; the promise is kept whatever it costs.
            rest = (self.path[node.key] + self.policy.overhead) / self.policy.aim_share
            at = min(max(at, build.built_at + rest), max(at, oldest + node.promised_lag - lead))
        return _Due(node.key, at, (oldest + node.longest_lag - self.now) / node.longest_lag)

    def _deadline_due(self, node: Node, terms: DeadlineTerms, build: Build) -> _Due:
        last = terms.last_before(self.now)
        following = last + 86_400
        lead = self.path[node.key] * self.policy.margin + self.policy.deadline_slack + self.policy.poll
        lead = min(lead, 12 * 3600.0)
        if build.built_at < last - lead:
            return _Due(node.key, last - lead, (last - self.now) / 86_400)
        opens = following - lead
        if build.built_at >= opens:
            opens += 86_400
        return _Due(node.key, opens, (opens + lead - self.now) / 86_400)

    # -- requests

    def _request(self, due: _Due, verdict: Verdict) -> bool:
        node = self.graph.nodes[due.key]
        if due.key in self.requests:
            self.decisions[due.key] = Decision(Verdict.PULLED, self.decisions[due.key].because, due.at)
            return False
        obstacle = self._obstacle(due.key)
        if obstacle is not None:
            self.decisions[due.key] = Decision(obstacle.verdict, obstacle.because, due.at)
            return False
        if not self.stale[due.key]:
            self.decisions[due.key] = Decision(Verdict.NO_NEW_DATA, due_at=due.at)
            if verdict is Verdict.REQUESTED:
                self.heartbeats.add(due.key)
            return False
        if not self._has_room(1):
            self.decisions[due.key] = Decision(Verdict.NOT_ADMITTED, due_at=due.at)
            return False
        take = self._closure(due.key)
        blocker = self._blocker(take, node.lane)
        if blocker is not None:
            self.decisions[due.key] = Decision(Verdict.UPSTREAM_BUSY, blocker, due.at)
            return False
        take = self._without_the_failing(take, due.key)
        if not take:
            self.decisions[due.key] = Decision(Verdict.NO_NEW_DATA, due_at=due.at)
            return False
        fresh = [key for key in take if key not in self.requests]
        if not self._has_room(len(fresh)):
            self.decisions[due.key] = Decision(Verdict.NOT_ADMITTED, due_at=due.at)
            return False
        for key in take:
            self.requests[key] = node.lane
            if key != due.key and key in fresh:
                self.decisions[key] = Decision(Verdict.PULLED, due.key)
        self.decisions[due.key] = Decision(verdict, due_at=due.at)
        return True

    def _obstacle(self, key: str) -> Decision | None:
        if key in self.state.busy:
            return Decision(Verdict.BUSY)
        failures = self.state.failures.get(key)
        attempts = failures.count + failures.not_started if failures else 0
        if failures is None or not attempts:
            return None
        if failures.count >= self.policy.attempts:
            return Decision(Verdict.GIVEN_UP)
        wait = min(self.policy.backoff_cap, self.policy.backoff * 2 ** (attempts - 1))
        return Decision(Verdict.BACKOFF) if self.now < failures.last_at + wait else None

    def _blocker(self, take: list[str], lane: Lane) -> str | None:
        """An asset that the run would read or build while another run is writing it."""
        for key in take:
            for needed in (key, *self.graph.nodes[key].deps):
                elsewhere = self.requests.get(needed, lane) is not lane
                if needed in self.state.busy or elsewhere:
                    return needed
        return None

    def _closure(self, key: str) -> list[str]:
        """`key` and the stale inputs that it pulls, by name."""
        found, todo = {key}, [key]
        while todo:
            for dep in self.pulled[todo.pop()]:
                if dep not in found and self.stale[dep]:
                    found.add(dep)
                    todo.append(dep)
        return sorted(found)

    def _without_the_failing(self, take: list[str], owner: str) -> list[str]:
        """Leaves out inputs that wait after a failure, then whatever has nothing new left to read.

        So one broken model does not hold up its readers: they go on with its last good table. An input that
        never was built holds its readers up, because they cannot run without it.
        """
        left: set[str] = set()
        for key in sorted(take, key=self.graph.position.__getitem__):
            if key != owner and self._obstacle(key) is not None:
                continue
            node = self.graph.nodes[key]
            if any(
                dep not in left and self.graph.nodes[dep].managed and dep not in self.state.builds
                for dep in node.deps
                if dep in self.graph.nodes
            ):
                continue
            changed = key not in self.state.builds or any(
                dep in left or input_changed(self.graph, self.state, key, dep) for dep in node.deps
            )
            if changed:
                left.add(key)
        return sorted(left) if owner in left else []

    def _has_room(self, count: int) -> bool:
        if self.requests and len(self.requests) + count > self.policy.max_start:
            return False
        in_flight = len(self.state.busy) + len(self.requests)
        return not in_flight or in_flight + count <= self.policy.max_in_flight

    def _take_along(self, later: list[_Due]) -> None:
        read: set[tuple[Lane, str]] = set()
        for key, lane in self.requests.items():
            read |= {(lane, dep) for dep in (key, *self.graph.nodes[key].deps)}
        waiting = [due for due in later if self._is_nearly_due(due)]
        while waiting:
            left = []
            for due in waiting:
                node = self.graph.nodes[due.key]
                # Only beside what reads the same: another family's runs must not set the pace of this one.
                if not any((node.lane, dep) in read for dep in (due.key, *node.deps)):
                    left.append(due)
                elif self._request(due, Verdict.EARLY):
                    read |= {(node.lane, dep) for dep in (due.key, *node.deps)}
            if len(left) == len(waiting):
                return
            waiting = left

    def _is_nearly_due(self, due: _Due) -> bool:
        node, build = self.graph.nodes[due.key], self.state.builds[due.key]
        if node.terms is None or (isinstance(node.terms, DeadlineTerms) and node.terms.every is None):
            return False
        early = self.policy.coalesce * node.pace
        rested = self.now >= build.built_at + _MIN_TICKS_BETWEEN * self.policy.poll
        return due.at - self.now <= early and rested
