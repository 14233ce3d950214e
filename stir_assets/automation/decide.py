"""One decision a tick for the whole graph, and what is worth keeping in between.

Nothing kept decides anything: a new process reads the same state and makes the same plan. It is the second reading
of what has not changed that is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from stir_assets.automation.durations import Durations
from stir_assets.automation.graph import graph_of
from stir_assets.automation.state import Snapshot, asset_records, read_state
from stir_assets.automation.temporary_terms import temporary_terms, with_terms
from stir_assets.core.freshness import FreshnessTerms
from stir_assets.core.scheduling.model import Graph, Plan, Policy
from stir_assets.core.scheduling.planner import plan

POLICY = Policy()
# Events commit in another order than they are numbered; what was overtaken is seen this much later at most.
_REREAD_SECONDS = 60.0


@dataclass(frozen=True)
class Tick:
    """One tick's decisions and what they were made from."""

    now: float
    graph: Graph
    families: Mapping[str, str]
    """Group of each asset, by which runs are joined."""
    snapshot: Snapshot
    plan: Plan


class Scheduler:
    """Decides; remembers the graph, run times, and the state until the event log moves on."""

    def __init__(self) -> None:
        self._assets: BaseAssetGraph | None = None
        self._declared = self._graph = Graph.of([])
        self._families: dict[str, str] = {}
        self._temporary: dict[str, FreshnessTerms] = {}
        self._steps: dict[str, str] = {}
        self._durations = Durations()
        self._snapshot: Snapshot | None = None
        self._newest: int | None = None
        self._read_at = 0.0

    def decide(self, instance: dg.DagsterInstance, assets: BaseAssetGraph, now: float) -> Tick:
        """The plan at `now`, seconds since the epoch."""
        if assets is not self._assets:
            self._assets, self._snapshot = assets, None
            self._declared, self._steps = graph_of(assets), steps_of(assets)
            self._families = families_of(assets)
            self._graph = with_terms(self._declared, self._temporary)
        snapshot = self._read(instance, now)
        decisions = plan(now, self._graph, snapshot.state, POLICY)
        # What is requested now is busy from now on, whether or not its events are there yet.
        self._snapshot = None if decisions.requests else snapshot
        return Tick(now, self._graph, self._families, snapshot, decisions)

    def _read(self, instance: dg.DagsterInstance, now: float) -> Snapshot:
        newest = instance.event_log_storage.get_maximum_record_id()
        kept = self._snapshot
        if kept is not None and newest == self._newest and 0 <= now - self._read_at < _REREAD_SECONDS:
            self._durations.read_some(instance)
            return replace(kept, state=replace(kept.state, seconds=self._durations.medians()))
        self._newest, self._read_at = newest, now
        if (temporary := temporary_terms(instance, now)) != self._temporary:
            self._temporary, self._graph = temporary, with_terms(self._declared, temporary)
        return read_state(
            instance,
            self._graph,
            asset_records(instance, self._graph),
            now=now,
            steps=self._steps,
            durations=self._durations,
        )


def families_of(assets: BaseAssetGraph) -> dict[str, str]:
    """The group of each asset."""
    return {node.key.to_user_string(): node.group_name or "" for node in assets.asset_nodes}


def steps_of(assets: BaseAssetGraph) -> dict[str, str]:
    """The step that builds each asset, where the definitions are at hand."""
    found = {}
    for node in assets.asset_nodes:
        definition = getattr(node, "assets_def", None)
        if definition is not None and definition.is_executable:
            found[node.key.to_user_string()] = definition.node_def.name
    return found
