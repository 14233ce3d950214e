"""What a soak has to say: promised against measured, runs, retries, idle cost, faults and their outcome."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from stir_assets.automation.freshness import blame_words, lag_words
from stir_assets.core.scheduling.model import Graph
from stir_assets.core.scheduling.report import AssetFreshness, Freshness

_NOT_KEPT = (Freshness.BROKEN, Freshness.NEVER_BUILT)


@dataclass(frozen=True)
class Sample:
    """Every asset at one moment."""

    at: float
    assets: Mapping[str, AssetFreshness]


@dataclass(frozen=True)
class Fault:
    """What was done when, and which of the expected outcomes came true."""

    name: str
    at: float
    expected: Mapping[str, bool]
    root: Callable[[str], bool] | None = None
    """Which incidents (by their root) are about it; None where people are not told."""


def build_report(
    instance: dg.DagsterInstance,
    graph: Graph,
    samples: Sequence[Sample],
    faults: Sequence[Fault],
    since: float,
    cpu_seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything as plain values; times in seconds."""
    minutes = (time.time() - since) / 60
    return {
        "minutes": round(minutes, 1),
        "assets": [
            _asset(graph, samples, key)
            for key in graph.order
            if graph.nodes[key].managed and graph.nodes[key].terms is not None
        ],
        "runs": _runs(instance, since),
        "idle_cpu_seconds_a_minute": {
            name: round(seconds / minutes, 2) for name, seconds in cpu_seconds.items()
        },
        "faults": [
            {"name": fault.name, "at": fault.at, "expected": dict(fault.expected)} for fault in faults
        ],
    }


def _asset(graph: Graph, samples: Sequence[Sample], key: str) -> dict[str, Any]:
    seen = [sample.assets[key] for sample in samples]
    lags = [asset.lag for asset in seen if asset.lag is not None]
    own = [asset.own_lag for asset in seen if asset.own_lag is not None]
    states = Counter(asset.state for asset in seen)
    worst = next((asset for asset in seen if asset.state in _NOT_KEPT), None)
    return {
        "asset": key,
        "promised": str(graph.nodes[key].terms),
        "mean_lag": statistics.fmean(lags) if lags else None,
        "max_lag": max(lags, default=None),
        "max_own_lag": max(own, default=None),
        "kept": 1 - sum(states[state] for state in _NOT_KEPT) / len(seen) if seen else None,
        "at_risk": states[Freshness.AT_RISK] / len(seen) if seen else None,
        "blame": blame_words(worst) if worst else "",
    }


def _runs(instance: dg.DagsterInstance, since: float) -> dict[str, Any]:
    records = instance.get_run_records(dg.RunsFilter(created_after=datetime.fromtimestamp(since, UTC)))
    lanes = Counter(record.dagster_run.tags.get("stir/lane", "by hand") for record in records)
    states = Counter(record.dagster_run.status.value for record in records)
    launchers = Counter(record.dagster_run.tags.get("stir/launcher", "stock") for record in records)
    waits = [
        record.start_time - record.create_timestamp.timestamp() for record in records if record.start_time
    ]
    failed = Counter(
        key.to_user_string()
        for record in records
        if record.dagster_run.status is dg.DagsterRunStatus.FAILURE
        for key in record.dagster_run.asset_selection or ()
    )
    return {
        "count": len(records),
        "by_lane": dict(lanes),
        "by_state": dict(states),
        "by_launcher": dict(launchers),
        "assets": sum(len(record.dagster_run.asset_selection or ()) for record in records),
        "median_wait": statistics.median(waits) if waits else None,
        "assets_of_failed_runs": dict(failed),
    }


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """For a terminal; assets that did not keep their promise first."""
    yield f"{'asset':<58} {'mean':>7} {'max':>7} {'own':>7} {'kept':>5} {'risk':>5}  promised"
    for asset in sorted(report["assets"], key=lambda found: (found["kept"] or 0.0, found["asset"])):
        lags = [lag_words(asset[name]) for name in ("mean_lag", "max_lag", "max_own_lag")]
        kept, risk = asset["kept"], asset["at_risk"]
        shares = [f"{share:.0%}" if share is not None else "-" for share in (kept, risk)]
        yield (
            f"{asset['asset']:<58} {lags[0]:>7} {lags[1]:>7} {lags[2]:>7} {shares[0]:>5} {shares[1]:>5}  "
            f"{asset['promised']}{'; ' + asset['blame'] if asset['blame'] else ''}"
        )
    runs = report["runs"]
    yield (
        f"{report['minutes']} minutes: {runs['count']} runs with {runs['assets']} assets; "
        f"lanes {runs['by_lane']}, states {runs['by_state']}, launchers {runs['by_launcher']}; "
        f"median wait for a start {runs['median_wait'] or 0:.1f} s"
    )
    for key, count in sorted(runs["assets_of_failed_runs"].items()):
        yield f"in {count} failed runs: {key}"
    yield f"CPU seconds a minute of what always runs: {report['idle_cpu_seconds_a_minute']}"
    for fault in report["faults"]:
        for outcome, true in fault["expected"].items():
            yield f"{fault['name']}: {outcome}: {'yes' if true else 'NO'}"
