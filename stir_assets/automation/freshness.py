"""The freshness report of the running platform: for the terminal, and as an asset of Dagster's catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from stir_assets.automation.condition import POLICY
from stir_assets.automation.durations import Durations
from stir_assets.automation.graph import graph_of
from stir_assets.automation.state import asset_records, read_state
from stir_assets.core.durations import format_duration
from stir_assets.core.scheduling.model import Graph, State
from stir_assets.core.scheduling.planner import plan
from stir_assets.core.scheduling.report import AssetFreshness, Freshness, freshness_report

REPORT_KEY = dg.AssetKey(["platform", "freshness"])
REPORT_INTERVAL_SECONDS = 300
_KEPT = (Freshness.FRESH, Freshness.NO_PROMISE)


@dataclass(frozen=True)
class Platform:
    """State and report at one moment."""

    now: float
    graph: Graph
    state: State
    assets: Sequence[AssetFreshness]
    records: Mapping[str, dg.EventLogRecord] = field(repr=False)
    """Last materialization event of each asset."""


def observe_platform(
    instance: dg.DagsterInstance,
    graph: Graph,
    durations: Durations | None = None,
    *,
    steps: Mapping[str, str] | None = None,
    now: float | None = None,
) -> Platform:
    """Reads the state from the instance and reports on every asset. `steps` as for `read_state`."""
    now = datetime.now(UTC).timestamp() if now is None else now
    snapshot = read_state(
        instance,
        graph,
        asset_records(instance, graph),
        now=now,
        steps=steps,
        durations=durations or Durations(),
    )
    decided = plan(now, graph, snapshot.state, POLICY)
    report = freshness_report(now, graph, snapshot.state, decided)
    return Platform(now, graph, snapshot.state, report, snapshot.records)


def report_spec() -> dg.AssetSpec:
    """The report as an external asset: its sensor reports it, no run is needed."""
    return dg.AssetSpec(
        REPORT_KEY,
        description=(
            "How fresh the data of every asset is against its promise, reported every five minutes. The numbers "
            "in the metadata plot over time; the table names what is late and who is to blame."
        ),
        group_name="platform",
        owners=["team:data-platform"],
        freshness_policy=dg.FreshnessPolicy.time_window(
            fail_window=timedelta(seconds=6 * REPORT_INTERVAL_SECONDS),
            warn_window=timedelta(seconds=3 * REPORT_INTERVAL_SECONDS),
        ),
    )


def report_event(platform: Platform) -> dg.AssetMaterialization:
    """One point of the report's history."""
    return dg.AssetMaterialization(asset_key=REPORT_KEY, metadata=report_metadata(platform.assets))


def report_metadata(assets: Sequence[AssetFreshness]) -> dict[str, Any]:
    """Numbers that plot, and a table of all promises."""
    promised = [asset for asset in assets if asset.managed and asset.terms is not None]
    count = Counter(asset.state for asset in promised)
    serving = [asset for asset in promised if asset.key.startswith("serving/")]
    lags = [asset.lag for asset in serving if asset.lag is not None]
    own = [asset.own_lag for asset in serving if asset.own_lag is not None]
    metadata: dict[str, Any] = {
        "promises kept": count[Freshness.FRESH],
        "promises at risk": count[Freshness.AT_RISK],
        "promises broken": count[Freshness.BROKEN],
        "never built": count[Freshness.NEVER_BUILT],
        "report": dg.MetadataValue.md(_table(promised)),
    }
    if lags:
        metadata["largest served lag (minutes)"] = round(max(lags) / 60, 1)
        metadata["mean served lag (minutes)"] = round(sum(lags) / len(lags) / 60, 1)
    if own:
        metadata["mean own lag (minutes)"] = round(sum(own) / len(own) / 60, 1)
    for asset in serving:
        if asset.lag is not None:
            metadata[f"lag of {asset.key} (minutes)"] = round(asset.lag / 60, 1)
    return metadata


def lag_words(seconds: float | None) -> str:
    """A lag for people: whole minutes from ten minutes up."""
    if seconds is None:
        return "-"
    step = 60 if abs(seconds) >= 600 else 1
    return format_duration(timedelta(seconds=round(seconds / step) * step))


def blame_words(asset: AssetFreshness) -> str:
    """`a < b < c: reason`, without the asset itself."""
    if not asset.blame:
        return ""
    path = " < ".join(asset.blame[1:])
    return f"{path}: {asset.reason}" if path else asset.reason


def _table(assets: Sequence[AssetFreshness]) -> str:
    worst_first = sorted(assets, key=lambda asset: (asset.state in _KEPT, asset.key))
    rows = [
        f"| {asset.key} | {asset.terms} | {lag_words(asset.lag)} | {lag_words(asset.own_lag)} | {asset.state} "
        f"| {asset.verdict} | {blame_words(asset)} |"
        for asset in worst_first
    ]
    return "\n".join(
        [
            "| asset | promised | lag | own part | state | now | because of |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def report_sensor() -> dg.SensorDefinition:
    """Reports the platform's freshness every five minutes."""
    durations = Durations()

    @dg.sensor(
        name="freshness_report",
        minimum_interval_seconds=REPORT_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Measures every promise and keeps the history as metadata of the report asset.",
    )
    def report(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        repository = context.repository_def
        if repository is None:
            raise dg.DagsterInvariantViolationError("the report needs its repository")
        platform = observe_platform(context.instance, graph_of(repository.asset_graph), durations)
        return dg.SensorResult(asset_events=[report_event(platform)])

    return report
