"""Decides from freshness terms what to run now. Pure: the same state gives the same plan.

One tick, in order:

1. staleness: an asset is stale when an input's version moved past the one it read (exact provenance, so an
   update during a run is not lost) or when an input that it pulls along is itself stale;
2. due time: reckoned back from the promise by the measured run times of the stale path in front of it (both in
   outlook.py);
3. by lane and urgency, each due asset with its stale inputs, unless something of it is running or has failed;
4. what is nearly due and reads the same as a run of its lane goes along.
"""

from __future__ import annotations

from collections.abc import Iterable

from stir_assets.core.freshness import DeadlineTerms
from stir_assets.core.scheduling.model import Decision, Graph, Lane, Plan, Policy, State, Verdict
from stir_assets.core.scheduling.outlook import Due, Outlook, input_changed

_MIN_TICKS_BETWEEN = 2


def plan(now: float, graph: Graph, state: State, policy: Policy | None = None) -> Plan:
    """The plan of one tick at `now`. Costs about 2 ms for 200 assets and 15 ms for 1,000."""
    return Planner(graph, policy).plan(now, state)


class Planner:
    """Makes the plans of many ticks over one graph: the same as `plan`, without looking at what has not changed.

    It goes by the identity of builds and of run times: give it new ones for what is new, and the same for the rest.
    """

    def __init__(self, graph: Graph, policy: Policy | None = None) -> None:
        self._outlook = Outlook(graph, policy or Policy())

    def plan(self, now: float, state: State) -> Plan:
        """The plan of one tick at `now`, seconds since the epoch."""
        self._outlook.look(now, state)
        return _Tick(now, self._outlook, state).run()


class _Tick:
    def __init__(self, now: float, outlook: Outlook, state: State) -> None:
        self.now, self.outlook, self.state = now, outlook, state
        self.graph, self.policy = outlook.graph, outlook.policy
        self.requests: dict[str, Lane] = {}
        self.decisions = dict(outlook.waiting)
        self.heartbeats: set[str] = set()

    def run(self) -> Plan:
        ready, later = [], []
        for due in self.outlook.due.values():
            (ready if due.at <= self.now else later).append(due)
        for due in self._by_urgency(ready):
            self._request(due, Verdict.REQUESTED)
        if self.requests:
            self._take_along(later)
        return Plan(self.requests, self.decisions, frozenset(self.heartbeats))

    def _by_urgency(self, due: Iterable[Due]) -> list[Due]:
        return sorted(due, key=lambda each: each.urgency(self.now))

    # -- requests

    def _request(self, due: Due, verdict: Verdict) -> bool:
        node = self.graph.nodes[due.key]
        if due.key in self.requests:
            self.decisions[due.key] = Decision(Verdict.PULLED, self.decisions[due.key].because, due.at)
            return False
        obstacle = self._obstacle(due.key)
        if obstacle is not None:
            self.decisions[due.key] = Decision(obstacle.verdict, obstacle.because, due.at)
            return False
        if not self.outlook.stale[due.key]:
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
            for dep in self.outlook.pulled[todo.pop()]:
                if dep not in found and self.outlook.stale[dep]:
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
                dep in left or input_changed(self.state, key, dep) for dep in node.deps
            )
            if changed:
                left.add(key)
        return sorted(left) if owner in left else []

    def _has_room(self, count: int) -> bool:
        if self.requests and len(self.requests) + count > self.policy.max_start:
            return False
        in_flight = len(self.state.busy) + len(self.requests)
        return not in_flight or in_flight + count <= self.policy.max_in_flight

    def _take_along(self, later: Iterable[Due]) -> None:
        read: set[tuple[Lane, str]] = set()
        for key, lane in self.requests.items():
            read |= {(lane, dep) for dep in (key, *self.graph.nodes[key].deps)}
        waiting = self._by_urgency(due for due in later if self._is_nearly_due(due))
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

    def _is_nearly_due(self, due: Due) -> bool:
        node, build = self.graph.nodes[due.key], self.state.builds[due.key]
        if node.terms is None or (isinstance(node.terms, DeadlineTerms) and node.terms.every is None):
            return False
        early = self.policy.coalesce * node.pace
        rested = self.now >= build.built_at + _MIN_TICKS_BETWEEN * self.policy.poll
        return due.at - self.now <= early and rested
