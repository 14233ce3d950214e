"""What each asset would read and when it must run: staleness, path and due time, by the declared terms.

An `Outlook` may be kept from tick to tick. It then looks again only at what can have changed: at assets with another
build, other inputs or run times, and at those for which a moment has come that was known before. What it says is
what a new one would say; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from stir_assets.core.freshness import DeadlineTerms
from stir_assets.core.scheduling.data_time import contained
from stir_assets.core.scheduling.model import Build, Decision, Graph, Node, Policy, State, Verdict

_DAY = 86_400.0
_YEAR = 365 * _DAY
_LONGEST_LEAD = 12 * 3600.0


def input_changed(state: State, key: str, dep: str) -> bool:
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


@dataclass(frozen=True)
class Due:
    """When an asset must start, and how much of its promise is left by then and later."""

    key: str
    lane: int
    """Rank of its lane: short promises go first, a batch yields to them however late it is."""
    at: float
    breaks_at: float
    span: float
    until: float = math.inf
    """The moment from which it is another one, whatever happens."""

    def urgency(self, now: float) -> tuple[int, float, str]:
        """Sorts by lane, then by what is left as a share of the promise; the smallest goes first."""
        return self.lane, (self.breaks_at - now) / self.span, self.key


class Outlook:
    """Staleness and due times under one graph and policy. `look` brings it to a moment; then read the rest."""

    def __init__(self, graph: Graph, policy: Policy) -> None:
        self.graph, self.policy = graph, policy
        self.pulled: dict[str, list[str]] = {}
        """Inputs that a run of each asset takes along when they are stale."""
        self.stale: dict[str, bool] = {}
        self.path: dict[str, float] = {}
        """Seconds of work of the stale path in front of each asset, its own included."""
        self.possible: dict[str, float | None] = {}
        """Data time that a run now would reach."""
        self.due: dict[str, Due] = {}
        """Of the assets that promise something."""
        self.waiting: dict[str, Decision] = {}
        """What to say of each asset for which nothing is to be done."""
        self._has_news: dict[str, bool] = {}
        self._resting: set[str] = set()
        """What would be due if it had not been built a short while ago."""
        self._until: dict[str, float] = {}
        self._now = math.inf
        self._state = State({})
        self._builds: dict[str, Build] = {}

    def look(self, now: float, state: State) -> None:
        """Brings everything to `now` (seconds since the epoch)."""
        graph = self.graph
        if now < self._now or state.seconds is not self._state.seconds:
            moved = set(graph.order)
        else:
            before = self._builds
            moved = {key for key, build in state.builds.items() if before.get(key) is not build}
            moved |= before.keys() - state.builds.keys()
            moved.intersection_update(graph.nodes)
        look_at = {key for key, until in self._until.items() if until <= now}.union(moved)
        for key in moved:
            look_at.update(graph.children[key])
        # The mapping may be one that its owner goes on writing to.
        self._now, self._state, self._builds = now, state, dict(state.builds)
        self._look_at_sources(moved)
        news = self._reckon_data_times(moved)
        pulls = graph.pulls(self.policy, state.seconds)
        for key in graph.managed:
            if key not in look_at:
                flips = self._has_news.get(key) is not self._can_be_newer(key)
                if key in news and (flips or key in self._resting):
                    self._set_due(key)
                continue
            was_stale, was_path = self.stale.get(key), self.path.get(key)
            self._look_at(key, pulls[key])
            if self.stale[key] is not was_stale or self.path[key] != was_path:
                look_at.update(graph.children[key])
            self._set_due(key)

    def _look_at_sources(self, moved: set[str]) -> None:
        for key in moved:
            if not self.graph.nodes[key].managed:
                self.stale[key], self.path[key] = False, 0.0
                self.waiting[key] = Decision(Verdict.WATCHED)

    def _reckon_data_times(self, moved: set[str]) -> set[str]:
        """Assets that can reach another data time than before."""
        changed: set[str] = set()
        for key in moved:
            if not self.graph.nodes[key].managed:
                build = self._builds.get(key)
                time = build.data_time if build else None
                if key not in self.possible or time != self.possible[key]:
                    self.possible[key] = time
                    changed.add(key)
        if not changed:
            return changed
        for key in self.graph.managed:
            if not changed.isdisjoint(self.graph.aging[key]):
                time = contained(self.graph, key, self.possible)
                if time != self.possible.get(key):
                    self.possible[key] = time
                    changed.add(key)
        return changed

    def _look_at(self, key: str, pulls: Iterable[tuple[str, float]]) -> None:
        builds, now = self._builds, self._now
        longest, until = 0.0, math.inf
        stale = key not in builds
        pulled = self.pulled[key] = []
        for dep, rest in pulls:
            found = builds.get(dep)
            rested = -math.inf if found is None else found.built_at + rest
            if now < rested:
                until = min(until, rested)
                continue
            pulled.append(dep)
            if self.stale[dep]:
                stale, longest = True, max(longest, self.path[dep])
        self._until[key] = until
        self.stale[key] = stale or any(
            input_changed(self._state, key, dep) for dep in self.graph.nodes[key].deps
        )
        self.path[key] = self._state.seconds.get(key, self.policy.default_seconds) + longest

    # -- due time

    def _set_due(self, key: str) -> None:
        node = self.graph.nodes[key]
        if node.terms is None:
            self.waiting[key] = Decision(Verdict.NO_PROMISE)
            return
        due = self._due(node)
        self._until[key] = min(self._until[key], due.until)
        if due != self.due.get(key):
            self.due[key] = due
            self.waiting[key] = Decision(Verdict.FRESH, due_at=due.at)

    def _due(self, node: Node) -> Due:
        build = self._builds.get(node.key)
        if build is None:
            # Never built: due at once, but after every promise that is about to break.
            last = self._now + 1.0 + node.longest_lag / _YEAR
            return Due(node.key, node.lane.rank, self._now, last, 1.0, until=self._now)
        if isinstance(node.terms, DeadlineTerms) and node.terms.every is None:
            return self._deadline_due(node, node.terms, build)
        return self._window_due(node, build)

    def _window_due(self, node: Node, build: Build) -> Due:
        pace, path, policy = node.pace, self.path[node.key], self.policy
        takes = path * policy.margin + policy.poll + policy.overhead
        lead = min(takes, pace / 2)
        oldest = build.built_at
        self._has_news[node.key] = self._can_be_newer(node.key)
        if self._has_news[node.key] and build.data_time is not None:
            oldest = min(oldest, build.data_time)
        half, until = (pace - lead) / 2, math.inf
        at = oldest + pace - lead
        self._resting.discard(node.key)
        if at < build.built_at + half:
            # A source that always lags, or one that is dead, must not make its readers run without end; what was built
            # while its inputs came back one by one need not wait once a run would make it fresh, by a whole half window.
            possible = self.possible.get(node.key) or -math.inf
            gain = possible - (build.data_time or possible)
            fresh_until = possible + (pace if gain >= half else half)
            if self._now < fresh_until:
                until = fresh_until
            else:
                at = build.built_at + half
                self._resting.add(node.key)
        if node.terms is not None and node.terms.every is not None:
            # An aim is worth its share of the time and no more; the promise is kept whatever it costs.
            share = node.terms.share or policy.aim_share
            rest = (path + policy.overhead) * (1 / share - 1)
            promised = oldest + node.promised_lag - min(takes, node.promised_lag / 2)
            at = min(max(at, build.built_at + rest), max(at, promised))
        return Due(node.key, node.lane.rank, at, oldest + node.longest_lag, node.longest_lag, until)

    def _can_be_newer(self, key: str) -> bool:
        """Whether a run now would reach newer data than the last one did."""
        build, possible = self._builds.get(key), self.possible.get(key)
        if build is None or build.data_time is None or possible is None:
            return False
        return possible > build.data_time

    def _deadline_due(self, node: Node, terms: DeadlineTerms, build: Build) -> Due:
        last = terms.last_before(self._now)
        following = last + _DAY
        lead = self.path[node.key] * self.policy.margin + self.policy.deadline_slack + self.policy.poll
        lead = min(lead, _LONGEST_LEAD)
        if build.built_at < last - lead:
            return Due(node.key, node.lane.rank, last - lead, last, _DAY, until=following)
        opens = following - lead
        if build.built_at >= opens:
            opens += _DAY
        return Due(node.key, node.lane.rank, opens, opens + lead, _DAY, until=following)
