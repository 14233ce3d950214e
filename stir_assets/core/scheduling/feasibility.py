"""Promises that cannot be kept, found before the night shows them.

A promise is impossible when its slowest source may be older than the promise while all is well with it (its own
`warn`), or when the runs in front of the asset take longer than the promise allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from stir_assets.core.durations import format_duration
from stir_assets.core.freshness import DeadlineTerms, FreshnessTerms, WindowTerms
from stir_assets.core.scheduling.data_time import ages
from stir_assets.core.scheduling.model import Graph, Node, Policy

_DAY = 86_400.0
_LONGEST_LEAD = 12 * 3600.0


@dataclass(frozen=True)
class Impossible:
    """A promise, why it cannot be kept, and the shortest that can, in seconds."""

    key: str
    terms: FreshnessTerms
    reason: str
    possible: float


def impossible_promises(
    graph: Graph, seconds: Mapping[str, float], policy: Policy | None = None
) -> list[Impossible]:
    """In dependency order. `seconds` are measured run times; without one, the policy's default is assumed."""
    return _Check(graph, seconds, policy or Policy()).run()


class _Check:
    def __init__(self, graph: Graph, seconds: Mapping[str, float], policy: Policy) -> None:
        self.graph, self.seconds, self.policy = graph, seconds, policy
        self.slowest: dict[str, tuple[float, str]] = {}
        self.path: dict[str, float] = {}

    def run(self) -> list[Impossible]:
        found = []
        for key in self.graph.order:
            node = self.graph.nodes[key]
            self._reckon(node)
            if node.managed and node.terms is not None and (problem := self._problem(node, node.terms)):
                found.append(problem)
        return found

    def _reckon(self, node: Node) -> None:
        if not node.managed:
            warn = node.terms.warn.total_seconds() if isinstance(node.terms, WindowTerms) else 0.0
            self.slowest[node.key], self.path[node.key] = (warn, node.key), 0.0
            return
        aging = [dep for dep in node.deps if dep in self.graph.nodes and ages(self.graph, node, dep)]
        own = self.seconds.get(node.key, self.policy.default_seconds)
        self.slowest[node.key] = max((self.slowest[dep] for dep in aging), default=(0.0, node.key))
        self.path[node.key] = own + max((self.path[dep] for dep in aging), default=0.0)

    def _problem(self, node: Node, terms: FreshnessTerms) -> Impossible | None:
        source_lag, source = self.slowest[node.key]
        lead = self.path[node.key] * self.policy.margin + self.policy.poll + self.policy.overhead
        runs = f"the runs in front of it {_words(lead)}"
        origin = f"{source} may be {_words(source_lag)} old while it keeps its own promise"
        if isinstance(terms, DeadlineTerms):
            pace = node.pace if terms.every else _DAY + self.policy.deadline_slack
            needed = source_lag + pace + lead
            allowed = terms.lookback.total_seconds()
            if lead > _LONGEST_LEAD:
                return Impossible(node.key, terms, f"{runs}, longer than half a day", lead)
        else:
            # Data is that old when read, and grows older while the next run is on its way.
            needed, allowed = source_lag + lead, terms.fail.total_seconds()
            if 2 * lead > allowed:
                return Impossible(
                    node.key, terms, f"{runs}: back to back they lag {_words(2 * lead)}", 2 * lead
                )
        if needed <= allowed:
            return None
        return Impossible(node.key, terms, f"{origin}, and {runs}", needed)


def _words(seconds: float) -> str:
    return format_duration(timedelta(seconds=round(seconds)))
