"""The sensor that keeps the history of freshness: checks when a state changes, the report every five minutes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from stir_assets.automation.durations import Durations
from stir_assets.automation.freshness import (
    REPORT_INTERVAL_SECONDS,
    Clock,
    observe_platform,
    report_event,
    wall_clock,
)
from stir_assets.automation.freshness_checks import FRESHNESS, changed, freshness_evaluation
from stir_assets.automation.graph import assets_of, graph_of
from stir_assets.core.scheduling.last_day import remember

INTERVAL_SECONDS = 60


def report_sensor(named: Mapping[str, str], clock: Clock = wall_clock) -> dg.SensorDefinition:
    """Measures every promise once a minute. `named`: how the check is called where it is not `freshness`.

    A lost cursor costs one report of every check and the bars of the last day.
    """
    durations = Durations()

    @dg.sensor(
        name="freshness_report",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Measures every promise: a check when its state changes, a report every five minutes.",
    )
    def report(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        assets = assets_of(context)
        before = _parse(context.cursor)
        platform = observe_platform(context.instance, graph_of(assets), durations, now=clock())
        states, reported_at = before.get("states", {}), before.get("reported_at", 0.0)
        news = changed(platform.assets, states)
        events: list[Any] = [freshness_evaluation(asset, named.get(asset.key, FRESHNESS)) for asset in news]
        served = {
            asset.key: asset.lag
            for asset in platform.assets
            if asset.key.startswith("serving/") and asset.lag is not None
        }
        history = remember(before.get("history", {}), served, platform.now)
        # Half a minute of grace: a tick that comes a moment early is not put off by a whole one.
        if platform.now - reported_at >= REPORT_INTERVAL_SECONDS - INTERVAL_SECONDS / 2:
            events.append(report_event(platform, history))
            reported_at = platform.now
        cursor = json.dumps(
            {
                "states": {**states, **{asset.key: str(asset.state) for asset in news}},
                "reported_at": reported_at,
                "history": history,
            },
            separators=(",", ":"),
        )
        if not events:
            context.update_cursor(cursor)
            return dg.SkipReason("no promise changed its state")
        return dg.SensorResult(asset_events=events, cursor=cursor)

    return report


def _parse(cursor: str | None) -> dict[str, Any]:
    try:
        return dict(json.loads(cursor or "{}"))
    except (ValueError, TypeError):
        return {}
