"""The freshness report of the running platform: for the terminal, and as an asset of Dagster's catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from stir_assets.automation.decide import POLICY
from stir_assets.automation.durations import Durations
from stir_assets.automation.state import asset_records, read_state
from stir_assets.core.durations import format_duration
from stir_assets.core.freshness import WindowTerms
from stir_assets.core.scheduling.last_day import bars
from stir_assets.core.scheduling.model import Graph, State
from stir_assets.core.scheduling.planner import plan
from stir_assets.core.scheduling.report import AssetFreshness, Freshness, freshness_report

History = Mapping[str, Mapping[str, float]]
"""By asset, by hour since the epoch: the largest lag, see `last_day`."""

REPORT_KEY = dg.AssetKey(["platform", "freshness"])
REPORT_INTERVAL_SECONDS = 300
_KEPT = (Freshness.FRESH, Freshness.NO_PROMISE)


Clock = Callable[[], float]


def wall_clock() -> float:
    """Seconds since the epoch; tests give sensors another clock."""
    return datetime.now(UTC).timestamp()


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
    now = wall_clock() if now is None else now
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


def report_event(platform: Platform, history: History) -> dg.AssetMaterialization:
    """One point of the report's history."""
    metadata = report_metadata(platform.assets, history, platform.now)
    return dg.AssetMaterialization(asset_key=REPORT_KEY, metadata=metadata)


def report_metadata(assets: Sequence[AssetFreshness], history: History, now: float) -> dict[str, Any]:
    """Numbers that plot, a table of all promises, and the last 24 hours of the serving tables."""
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
    if serving:
        metadata["last 24 hours"] = dg.MetadataValue.md(_last_day(serving, history, now))
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


def _last_day(assets: Sequence[AssetFreshness], history: History, now: float) -> str:
    rows = [
        f"| {asset.key} | {asset.terms} | `{bars(history.get(asset.key, {}), longest_lag(asset), now)}` "
        f"| {lag_words(max(history[asset.key].values())) if history.get(asset.key) else '-'} |"
        for asset in assets
    ]
    head = ["| asset | promised | largest lag of each hour (full bar: the promise, !: above it) | largest |"]
    return "\n".join([*head, "|---|---|---|---|", *rows])


def longest_lag(asset: AssetFreshness) -> float:
    """The lag in seconds that its promise allows."""
    terms = asset.terms
    if terms is None:
        return float("inf")
    return (terms.fail if isinstance(terms, WindowTerms) else terms.lookback).total_seconds()


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
