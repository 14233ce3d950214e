"""The automation sensor: sees what is new, evaluates the freshness conditions, turns one tick into a few runs."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
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
from dagster._time import get_current_timestamp

from stir_assets.automation.condition import decided
from stir_assets.automation.decide import Scheduler, Tick
from stir_assets.automation.freshness_checks import FRESHNESS
from stir_assets.automation.graph import assets_of
from stir_assets.automation.heartbeats import heartbeats
from stir_assets.automation.paced_checks import checks_due
from stir_assets.automation.source_watch import SourceWatch
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.scheduling.model import Lane, Verdict
from stir_assets.core.scheduling.runs import PRIORITY, split
from stir_assets.errors import StirError
from stir_assets.resources.clickhouse import ClickHouseResource

LANE = "stir/lane"
ASKED_BY = "stir/asked_by"
SENSOR_NAME = "freshness"
# Dagster's loop goes by every five seconds, and would leave out every other one if this were five too.
INTERVAL_SECONDS = 4
# Evaluations that only show a changed verdict: a new process, to which all of them are new, spreads them over ticks.
_SHOWN_A_TICK = 150
# Longer than any look should take, and shorter than the daemon waits for a tick.
_LOOK_SECONDS = 30


class FreshnessSensor(AutomationConditionSensorDefinition):
    """Dagster's automation sensor on the code server: looks at the sources, decides, cuts runs of its own.

    Dagster makes one run of all that a tick requests, in which a five-minute table waits for a daily batch. It also
    evaluates every asset every time; here only those whose verdict changed are evaluated, which shows the same in
    the Automation tab. Built on internals of the pinned Dagster; tests drive the real thing.
    """

    def __init__(self, name: str, *, watch: SourceWatch | None = None, **attributes: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            super().__init__(name, use_user_code_server=True, **attributes)
        # The base class bound its own function before there was a `self` of ours, and takes no resources.
        self._raw_fn = self._tick
        self._evaluation_fn = wrap_sensor_evaluation(name, self._tick)
        self._raw_required_resource_keys = {"clickhouse"} if watch else set()
        self._required_resource_keys = self._raw_required_resource_keys
        self._watch = watch
        self._client: Client | None = None
        self._scheduler = Scheduler()
        self._shown: dict[str, Verdict] = {}
        """Verdicts as the Automation tab has them."""

    def _tick(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        assets = assets_of(context)
        self._look(context)
        tick = self._scheduler.decide(context.instance, assets, get_current_timestamp())
        verdicts = {key: decision.verdict for key, decision in tick.plan.decisions.items()}
        changed = [key for key, verdict in verdicts.items() if self._shown.get(key) is not verdict]
        news = {*changed[:_SHOWN_A_TICK], *tick.plan.requests}
        self._shown |= {key: verdicts[key] for key in news}
        news = {key for key in news if assets.get(dg.AssetKey.from_user_string(key)).automation_condition}
        requests, cursor, evaluations = self._evaluate(context, assets, tick, news)
        wanted = {key.to_user_string() for request in requests for key in request.asset_selection or ()}
        lanes = {key: tick.plan.requests.get(key, Lane.REGULAR) for key in wanted}
        runs = split(lanes, tick.graph, tick.families)
        return dg.SensorResult(
            run_requests=[
                _run_request(context.instance, tick, assets, lane, keys, self.run_tags) for lane, keys in runs
            ],
            cursor=cursor,
            automation_condition_evaluations=evaluations,
            asset_events=heartbeats(tick),
        )

    def _evaluate(
        self, context: dg.SensorEvaluationContext, assets: BaseAssetGraph, tick: Tick, keys: Iterable[str]
    ) -> tuple[Any, str | None, Any]:
        if not keys:
            return (), context.cursor, ()
        cursor = asset_daemon_cursor_from_instigator_serialized_cursor(context.cursor, assets)
        evaluation = AutomationTickEvaluationContext(
            evaluation_id=cursor.evaluation_id,
            instance=context.instance,
            asset_graph=assets,
            cursor=cursor,
            materialize_run_tags=self.run_tags,
            observe_run_tags={},
            auto_observe_asset_keys=set(),
            asset_selection=dg.AssetSelection.assets(*map(dg.AssetKey.from_user_string, keys)),
            emit_backfills=False,
            logger=context.log,
            evaluation_time=datetime.fromtimestamp(tick.now, UTC),
        )
        decided(evaluation._evaluator.asset_graph_view, tick)
        requests, new_cursor, evaluations = evaluation.evaluate()
        return requests, asset_daemon_cursor_to_instigator_serialized_cursor(new_cursor), evaluations

    def _look(self, context: dg.SensorEvaluationContext) -> None:
        """Reports what is new in the sources. A server that is away is no reason not to decide."""
        if self._watch is None:
            return
        try:
            if self._client is None:
                resource: ClickHouseResource = context.resources.clickhouse
                self._client = clickhouse_client(resource.settings(), silence_seconds=_LOOK_SECONDS)
            changed = self._watch.report(self._client, context.instance)
            if changed:
                context.log.debug(f"news in {', '.join(changed)}")
        except (ClickHouseError, StirError, OSError) as error:
            context.log.warning(f"the sources could not be looked at: {error}")
            if self._client is not None:
                with contextlib.suppress(Exception):
                    self._client.close()
                self._client = None


def _run_request(
    instance: dg.DagsterInstance,
    tick: Tick,
    assets: BaseAssetGraph,
    lane: Lane,
    keys: list[str],
    tags: Any,
) -> dg.RunRequest:
    selection = [dg.AssetKey.from_user_string(key) for key in keys]
    owners = [key for key in keys if tick.plan.decisions[key].due_at is not None]
    shown = ", ".join(owners[:3]) + (f" and {len(owners) - 3} more" if len(owners) > 3 else "")
    # All but the one that is reported without a run.
    checks = [check for key in selection for check in assets.get(key).check_keys if check.name != FRESHNESS]
    return dg.RunRequest(
        asset_selection=selection,
        asset_check_keys=checks_due(instance, assets, checks, tick.now),
        tags={**tags, LANE: lane.value, "dagster/priority": str(PRIORITY[lane]), ASKED_BY: shown},
    )


def freshness_sensor(watch: SourceWatch | None = None) -> dg.SensorDefinition:
    """The one sensor that decides what runs. `watch` reports news of the sources just before."""
    return FreshnessSensor(
        SENSOR_NAME,
        watch=watch,
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Reports what is new in the sources, then requests what its freshness terms make due. One "
        "decision for the whole graph each tick.",
    )
