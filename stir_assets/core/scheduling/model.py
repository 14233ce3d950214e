"""What the planner decides on: the graph with its promises, and the state of every asset.

Plain values only. Times are seconds since the epoch (UTC), durations seconds; versions are numbers that grow
with every materialization.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from stir_assets.core.freshness import FreshnessTerms, WindowTerms

HOT_UP_TO = 3600.0
REGULAR_UP_TO = 12 * 3600.0


class Lane(StrEnum):
    """Which queue a run waits in. A long batch never stands in front of a short promise."""

    HOT = "hot"
    REGULAR = "regular"
    HEAVY = "heavy"

    @property
    def rank(self) -> int:
        """0 for what goes first."""
        return _RANK[self]


_RANK = {lane: rank for rank, lane in enumerate(Lane)}


def lane_of(terms: FreshnessTerms | None) -> Lane:
    """Hot up to an hour, regular up to half a day; daily deadlines, weekly terms and no terms are heavy."""
    if not isinstance(terms, WindowTerms):
        return Lane.HEAVY
    fail = terms.fail.total_seconds()
    if fail <= HOT_UP_TO:
        return Lane.HOT
    return Lane.REGULAR if fail <= REGULAR_UP_TO else Lane.HEAVY


@dataclass(frozen=True)
class Node:
    """One asset. `managed` is False for what Stir only watches (sources).

    `paced` assets run on their own promise alone: a faster reader takes them as they are, neither pulling
    them along nor inheriting their age. Daily and weekly models are paced by nature.
    """

    key: str
    deps: tuple[str, ...] = ()
    terms: FreshnessTerms | None = None
    managed: bool = True
    paced: bool = False
    timeless: bool = False
    """Its newest event says nothing of how fresh it is: it triggers its readers, and ages nobody."""

    @cached_property
    def lane(self) -> Lane:
        return lane_of(self.terms)

    @cached_property
    def pace(self) -> float:
        """Seconds of lag that a refresh should come before; infinite without terms."""
        return math.inf if self.terms is None else self.terms.pace.total_seconds()

    @cached_property
    def promised_lag(self) -> float:
        """Seconds of lag from which the promise is at risk; infinite without terms."""
        return self.terms.warn.total_seconds() if isinstance(self.terms, WindowTerms) else self.longest_lag

    @cached_property
    def longest_lag(self) -> float:
        """Seconds of lag at which the promise is broken; infinite without terms."""
        if self.terms is None:
            return math.inf
        longest = self.terms.fail if isinstance(self.terms, WindowTerms) else self.terms.lookback
        return longest.total_seconds()


@dataclass(frozen=True)
class Graph:
    """All nodes, with an order in which every node comes after what it reads."""

    nodes: Mapping[str, Node]
    order: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]] = field(repr=False)
    wanted_every: Mapping[str, float] = field(repr=False)
    """Seconds between refreshes that the shortest promise among an asset and its readers asks for."""
    _pulls: dict[Policy, tuple[Mapping[str, float], Mapping[str, tuple[tuple[str, float], ...]]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Rank of each node in `order`."""
        return {key: rank for rank, key in enumerate(self.order)}

    @cached_property
    def managed(self) -> tuple[str, ...]:
        """What Stir builds, in `order`."""
        return tuple(key for key in self.order if self.nodes[key].managed)

    @cached_property
    def aging(self) -> Mapping[str, tuple[str, ...]]:
        """The inputs of each node whose age is its own too: a paced input of a faster reader does not count."""
        return {
            key: tuple(
                dep
                for dep in node.deps
                if dep in self.nodes
                and not self.nodes[dep].timeless
                and (node.paced or not self.nodes[dep].paced)
            )
            for key, node in self.nodes.items()
        }

    @cached_property
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """The inputs of each node that Stir builds."""
        return {
            key: tuple(dep for dep in node.deps if dep in self.nodes and self.nodes[dep].managed)
            for key, node in self.nodes.items()
        }

    def pulls(
        self, policy: Policy, seconds: Mapping[str, float]
    ) -> Mapping[str, tuple[tuple[str, float], ...]]:
        """The inputs that each node's runs take along when they are stale, with how long they must have rested.

        `seconds` are run times. A paced input is only taken along when it never was built.
        """
        kept = self._pulls.get(policy)
        if kept is None or kept[0] is not seconds:
            found = {
                key: tuple((dep, self._rest(key, dep, policy, seconds)) for dep in inputs)
                for key, inputs in self.inputs.items()
            }
            kept = self._pulls[policy] = seconds, found
        return kept[1]

    def _rest(self, key: str, dep: str, policy: Policy, seconds: Mapping[str, float]) -> float:
        if dep not in self.aging[key]:
            return math.inf
        wanted, every = self.wanted_every[key], self.wanted_every[dep]
        just_now = min(policy.coalesce * wanted, policy.just_built)
        if every >= wanted or math.isinf(wanted):
            return just_now
        # An input refreshed more often for somebody else. To build it early wastes the rest of its period, to
        # read it as it is brings the reader's next run forward by its age; from here on the former is cheaper.
        reader, own = (max(seconds.get(name, policy.default_seconds), 0.1) for name in (key, dep))
        return max(just_now, 1 / (1 / every + reader / own / wanted))

    @staticmethod
    def of(nodes: Iterable[Node]) -> Graph:
        """Builds the order; raises `ValueError` naming a cycle. Unknown deps are ignored (other locations)."""
        # By name, so that the order does not depend on who listed the nodes.
        by_key = {node.key: node for node in sorted(nodes, key=lambda node: node.key)}
        children: dict[str, list[str]] = {key: [] for key in by_key}
        waiting = {key: 0 for key in by_key}
        for node in by_key.values():
            for dep in node.deps:
                if dep in by_key:
                    children[dep].append(node.key)
                    waiting[node.key] += 1
        ready = sorted((key for key, count in waiting.items() if count == 0), reverse=True)
        order: list[str] = []
        while ready:
            key = ready.pop()
            order.append(key)
            for child in children[key]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
        if len(order) < len(by_key):
            stuck = sorted(key for key, count in waiting.items() if count)
            raise ValueError(f"the asset graph has a cycle among: {', '.join(stuck)}")
        every: dict[str, float] = {}
        for key in reversed(order):
            node = by_key[key]
            readers = [every[child] for child in children[key] if by_key[child].paced or not node.paced]
            every[key] = min([node.pace, *readers])
        return Graph(by_key, tuple(order), {key: tuple(found) for key, found in children.items()}, every)


@dataclass(frozen=True)
class Build:
    """The last materialization of a managed asset, or the last observed event of a source.

    `read` maps each dep to the version that was read; `data_time` is the newest source event contained (the
    minimum over what was read), None where nothing behind it has event times.
    """

    built_at: float
    version: int
    data_version: str | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    read_data_versions: Mapping[str, str] = field(default_factory=dict)
    data_time: float | None = None


@dataclass(frozen=True)
class Failures:
    """Failed attempts since the last success, within the planner's memory.

    `not_started` are further attempts whose run never began: the next one waits for them too, but they are the
    platform's failures, and nobody is given up for them.
    """

    count: int
    last_at: float
    not_started: int = 0


@dataclass(frozen=True)
class State:
    """All the planner knows of the present. Rebuilt from the instance each tick: a restart changes nothing."""

    builds: Mapping[str, Build]
    busy: frozenset[str] = frozenset()
    failures: Mapping[str, Failures] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Median of recent run times a node; `Policy.default_seconds` where there is none."""


@dataclass(frozen=True)
class Policy:
    """Knobs of the planner, each in seconds or a count, with the reason for its default."""

    poll: float = 5.0
    """Time between two ticks: a decision may come this much late."""
    overhead: float = 3.0
    """From a decision to the first query, on the warm path."""
    margin: float = 1.3
    """Measured run times vary; plan with this multiple of their median."""
    default_seconds: float = 5.0
    """Assumed run time of what never ran."""
    backoff: float = 60.0
    """Wait after the first failure; doubles with each."""
    backoff_cap: float = 1800.0
    attempts: int = 4
    """Tries of one failing asset within the memory of failures; then it waits for a person or for time."""
    max_start: int = 40
    """New assets a tick: a cold start goes by urgency, not all at once."""
    max_in_flight: int = 80
    coalesce: float = 0.15
    """Share of a window by which an asset may run early to share a run with what reads the same."""
    just_built: float = 600.0
    """An input built this lately (and less than `coalesce` of the reader's window ago) is read as it is."""
    aim_share: float = 0.1
    """Part of the time that the runs for one aim (`every`) may take unless it says its `share`; a dearer aim is pursued
    less often."""
    deadline_slack: float = 900.0
    """How long before a deadline a batch should be done."""


class Verdict(StrEnum):
    """Why an asset is, or is not, requested this tick. One word a decision, shown in the UI."""

    REQUESTED = "requested"
    PULLED = "pulled by a reader"
    EARLY = "taken along with its family"
    NO_PROMISE = "promises nothing"
    FRESH = "not due yet"
    NO_NEW_DATA = "no new data upstream"
    BUSY = "running or queued"
    UPSTREAM_BUSY = "waits for an upstream run"
    BACKOFF = "waits after a failure"
    GIVEN_UP = "failed too often"
    NOT_ADMITTED = "waits for room"
    WATCHED = "not built by Stir"


@dataclass(frozen=True)
class Decision:
    """The verdict on one asset. `because` names the reader that asked, or the upstream it waits for."""

    verdict: Verdict
    because: str | None = None
    due_at: float | None = None


@dataclass(frozen=True)
class Plan:
    """What one tick decided."""

    requests: Mapping[str, Lane]
    """Assets to run now, with the lane of the promise that asked for them."""
    decisions: Mapping[str, Decision]
    heartbeats: frozenset[str]
    """Due, but nothing new to build: fresh by Stir's count, and Dagster's policy should hear so."""
