"""Freshness as an automation condition: leaves that read one plan a tick, so that the Automation tab of an asset
says which of them was false.

The planner (core/scheduling) decides; nothing is decided here. Conditions of one's own are evaluated only by
a sensor on the code server (sensors.py); any other sensor silently ignores them.
"""

from __future__ import annotations

import weakref

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView

from stir_assets.automation.decide import POLICY, Tick
from stir_assets.core.scheduling.model import Decision, Verdict

_ticks: weakref.WeakKeyDictionary[AssetGraphView, Tick] = weakref.WeakKeyDictionary()


def decided(view: AssetGraphView, tick: Tick) -> None:
    """Makes `tick` what the leaves read in an evaluation. Every asset of one evaluation shares its view."""
    _ticks[view] = tick


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
        tick = _ticks.get(context.asset_graph_view)
        if tick is None:
            raise dg.DagsterInvariantViolationError(
                "freshness conditions are evaluated by the freshness sensor"
            )
        decision = tick.plan.decisions.get(context.key.to_user_string())
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
