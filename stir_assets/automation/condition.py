"""Freshness as an automation condition: leaves that read one plan a tick, so that the Automation tab of an asset
says which of them was false.

The planner (core/scheduling) decides; nothing is decided here. Conditions of one's own are evaluated only by
a sensor on the code server (sensors.py); any other sensor silently ignores them.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.storage.event_log.base import AssetRecord

from stir_assets.automation.durations import Durations
from stir_assets.automation.graph import graph_of
from stir_assets.automation.state import Snapshot, read_state
from stir_assets.core.scheduling.model import Decision, Graph, Plan, Policy, Verdict
from stir_assets.core.scheduling.planner import plan

POLICY = Policy()


@dataclass(frozen=True)
class Tick:
    """One tick's decisions and what they were made from."""

    now: float
    graph: Graph
    snapshot: Snapshot
    plan: Plan


_lock = threading.Lock()
_ticks: weakref.WeakKeyDictionary[AssetGraphView, Tick] = weakref.WeakKeyDictionary()
_graphs: weakref.WeakKeyDictionary[BaseAssetGraph, tuple[Graph, dict[str, str]]] = weakref.WeakKeyDictionary()
_durations: weakref.WeakKeyDictionary[dg.DagsterInstance, Durations] = weakref.WeakKeyDictionary()


def tick_of(view: AssetGraphView) -> Tick:
    """The tick's plan, made when the first leaf asks. Every asset of a tick shares one view."""
    with _lock:
        if view not in _ticks:
            _ticks[view] = _decide(view)
        return _ticks[view]


def _decide(view: AssetGraphView) -> Tick:
    assets = view.asset_graph
    if assets not in _graphs:
        _graphs[assets] = graph_of(assets), steps_of(assets)
    graph, steps = _graphs[assets]
    keys = [dg.AssetKey.from_user_string(key) for key in graph.nodes]
    now = view.effective_dt.timestamp()
    snapshot = read_state(
        view.instance,
        graph,
        AssetRecord.blocking_get_many(view, keys),
        now=now,
        steps=steps,
        durations=_durations.setdefault(view.instance, Durations()),
    )
    return Tick(now, graph, snapshot, plan(now, graph, snapshot.state, POLICY))


def steps_of(assets: BaseAssetGraph) -> dict[str, str]:
    """The step that builds each asset, where the definitions are at hand."""
    found = {}
    for node in assets.asset_nodes:
        definition = getattr(node, "assets_def", None)
        if definition is not None and definition.is_executable:
            found[node.key.to_user_string()] = definition.node_def.name
    return found


class PlanLeaf(dg.AutomationCondition):
    """True for an asset when the tick's verdict on it is one of `verdicts`."""

    label_text: str = ""
    verdicts: frozenset[Verdict] = frozenset()

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def description(self) -> str:
        return self.label_text

    @property
    def requires_cursor(self) -> bool:
        return False

    def holds(self, decision: Decision) -> bool:
        """Whether the leaf is true under this decision."""
        return decision.verdict in self.verdicts

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        decision = tick_of(context.asset_graph_view).plan.decisions.get(context.key.to_user_string())
        if decision is None or not self.holds(decision):
            return dg.AutomationResult(context, true_subset=context.get_empty_subset())
        return dg.AutomationResult(context, true_subset=context.candidate_subset)


_WANTED = frozenset(
    {
        Verdict.REQUESTED,
        Verdict.NO_NEW_DATA,
        Verdict.BUSY,
        Verdict.UPSTREAM_BUSY,
        Verdict.BACKOFF,
        Verdict.GIVEN_UP,
        Verdict.NOT_ADMITTED,
    }
)


class Due(PlanLeaf):
    label_text = "its own promise is due, by the measured run times in front of it"
    verdicts = _WANTED


class Pulled(PlanLeaf):
    label_text = "a reader that is due needs it"
    verdicts = frozenset({Verdict.PULLED})


class TakenAlong(PlanLeaf):
    label_text = "nearly due, and its family runs now"
    verdicts = frozenset({Verdict.EARLY})


class NewDataUpstream(PlanLeaf):
    label_text = "an input holds something it has not read"
    verdicts = frozenset(Verdict) - {Verdict.NO_NEW_DATA}


class InProgress(PlanLeaf):
    label_text = "running or queued"
    verdicts = frozenset({Verdict.BUSY})


class UpstreamInProgress(PlanLeaf):
    label_text = "something it needs is running, or is requested in another lane"
    verdicts = frozenset({Verdict.UPSTREAM_BUSY})


class WaitingAfterFailure(PlanLeaf):
    label_text = "failed lately; the wait doubles with each failure"
    verdicts = frozenset({Verdict.BACKOFF})


class FailedTooOften(PlanLeaf):
    label_text = f"failed {POLICY.attempts} times in six hours; waits for a person or for time"
    verdicts = frozenset({Verdict.GIVEN_UP})


class Admitted(PlanLeaf):
    label_text = "there is room this tick"
    verdicts = frozenset(Verdict) - {Verdict.NOT_ADMITTED}


def freshness_driven() -> dg.AutomationCondition:
    """The condition of every asset that Stir builds."""
    return (
        (Due() | Pulled() | TakenAlong())
        & NewDataUpstream()
        & ~InProgress()
        & ~UpstreamInProgress()
        & ~WaitingAfterFailure()
        & ~FailedTooOften()
        & Admitted()
    ).with_label("freshness")
