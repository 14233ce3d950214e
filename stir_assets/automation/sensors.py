"""The automation sensor: evaluates the freshness conditions and turns one tick into a few runs."""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.automation_condition_sensor_definition import (
    AutomationConditionSensorDefinition,
)
from dagster._core.definitions.automation_tick_evaluation_context import AutomationTickEvaluationContext
from dagster._core.definitions.sensor_definition import wrap_sensor_evaluation
from dagster._daemon.asset_daemon import (
    asset_daemon_cursor_from_instigator_serialized_cursor,
    asset_daemon_cursor_to_instigator_serialized_cursor,
)

from stir_assets.automation.condition import Tick, tick_of
from stir_assets.automation.freshness_checks import FRESHNESS
from stir_assets.automation.heartbeats import heartbeats
from stir_assets.core.scheduling.model import Lane
from stir_assets.core.scheduling.runs import PRIORITY, split

LANE = "stir/lane"
ASKED_BY = "stir/asked_by"
SENSOR_NAME = "freshness"
INTERVAL_SECONDS = 15


class FreshnessSensor(AutomationConditionSensorDefinition):
    """Dagster's automation sensor on the code server, with runs of our own cut.

    Dagster makes one run of all that a tick requests, in which a five-minute table waits for a daily batch.
    Built on internals of the pinned Dagster; tests drive the real thing.
    """

    def __init__(self, name: str, **attributes: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            super().__init__(name, use_user_code_server=True, **attributes)
        # The base class bound its own function before there was a `self` of ours.
        self._raw_fn = self._tick
        self._evaluation_fn = wrap_sensor_evaluation(name, self._tick)

    def _tick(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("the freshness sensor needs its repository")
        assets = repository.asset_graph
        cursor = asset_daemon_cursor_from_instigator_serialized_cursor(context.cursor, assets)
        evaluation = AutomationTickEvaluationContext(
            evaluation_id=cursor.evaluation_id,
            instance=context.instance,
            asset_graph=assets,
            cursor=cursor,
            materialize_run_tags=self.run_tags,
            observe_run_tags={},
            auto_observe_asset_keys=set(),
            asset_selection=self.asset_selection,
            emit_backfills=False,
            logger=context.log,
        )
        requests, new_cursor, evaluations = evaluation.evaluate()
        view: AssetGraphView = evaluation._evaluator.asset_graph_view
        tick = tick_of(view)
        wanted = {
            key.to_user_string(): request for request in requests for key in request.asset_selection or ()
        }
        families = {node.key.to_user_string(): node.group_name or "" for node in assets.asset_nodes}
        runs = split({key: tick.plan.requests.get(key, Lane.REGULAR) for key in wanted}, tick.graph, families)
        return dg.SensorResult(
            run_requests=[_run_request(tick, assets, lane, keys, self.run_tags) for lane, keys in runs],
            cursor=asset_daemon_cursor_to_instigator_serialized_cursor(new_cursor),
            automation_condition_evaluations=evaluations,
            asset_events=heartbeats(tick),
        )


def _run_request(tick: Tick, assets: BaseAssetGraph, lane: Lane, keys: list[str], tags: Any) -> dg.RunRequest:
    selection = [dg.AssetKey.from_user_string(key) for key in keys]
    owners = [key for key in keys if tick.plan.decisions[key].due_at is not None]
    shown = ", ".join(owners[:3]) + (f" and {len(owners) - 3} more" if len(owners) > 3 else "")
    return dg.RunRequest(
        asset_selection=selection,
        # All checks but the one that is reported without a run.
        asset_check_keys=[
            check for key in selection for check in assets.get(key).check_keys if check.name != FRESHNESS
        ],
        tags={**tags, LANE: lane.value, "dagster/priority": str(PRIORITY[lane]), ASKED_BY: shown},
    )


def freshness_sensor() -> dg.SensorDefinition:
    """The one sensor that decides what runs."""
    return FreshnessSensor(
        SENSOR_NAME,
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Requests what its freshness terms make due. One decision for the whole graph each tick.",
    )
