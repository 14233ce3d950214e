"""What a soak has to say: promised against measured, runs, retries, idle cost, faults and their outcome."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import dagster as dg

from stir_assets.automation.freshness import blame_words, lag_words
from stir_assets.core.scheduling.model import Graph
from stir_assets.core.scheduling.report import AssetFreshness, Freshness

_NOT_KEPT = (Freshness.BROKEN, Freshness.NEVER_BUILT)
# Seconds: a tick, a queue and a run after a late source has brought something; catching up after the start.
_TIME_TO_MEND = 120.0
_STARTING = 600.0


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
    ended: float | None = None
    affects: frozenset[str] = frozenset()
    """Assets whose promises it breaks by itself until it has ended."""


class Cause(StrEnum):
    """Why a promise was not kept at a moment."""

    SOURCE = "its source was older"
    START = "late at the start"
    FAULT = "the injected fault"
    OWN = "the scheduler"


@dataclass(frozen=True)
class NotKept:
    """A promise broken at a moment, and why."""

    asset: AssetFreshness
    cause: Cause


def not_kept(graph: Graph, samples: Sequence[Sample], faults: Sequence[Fault], key: str) -> list[NotKept]:
    """Every sample in which the promise of `key` was broken.

    What a run could not have mended is the source's, as is what it has had no time to mend since. In the first
    minutes it is the start's: the stack stood still before. All else is the scheduler's own.
    """
    found: list[NotKept] = []
    fail, source_until = graph.nodes[key].longest_lag, -math.inf
    since = samples[0].at if samples else 0.0
    for sample in samples:
        asset = sample.assets[key]
        if asset.state not in _NOT_KEPT:
            continue
        if asset.lag is not None and asset.lag - (asset.own_lag or 0.0) > fail:
            source_until = sample.at + _TIME_TO_MEND
        if sample.at <= source_until:
            cause = Cause.SOURCE
        elif any(
            key in fault.affects and fault.at <= sample.at <= (fault.ended or sample.at) for fault in faults
        ):
            cause = Cause.FAULT
        else:
            cause = Cause.START if sample.at - since <= _STARTING else Cause.OWN
        found.append(NotKept(asset, cause))
    return found


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
    assets = [
        _asset(graph, samples, faults, key)
        for key in graph.order
        if graph.nodes[key].managed and graph.nodes[key].terms is not None
    ]
    return {
        "minutes": round(minutes, 1),
        "assets": assets,
        "promises": {
            "all": len(assets),
            "never broken": sum(not asset["not_kept"] for asset in assets),
            **{str(cause): sum(str(cause) in asset["not_kept"] for asset in assets) for cause in Cause},
        },
        "runs": _runs(instance, since),
        "idle_cpu_seconds_a_minute": {
            name: round(seconds / minutes, 2) for name, seconds in cpu_seconds.items()
        },
        "faults": [
            {"name": fault.name, "at": fault.at, "expected": dict(fault.expected)} for fault in faults
        ],
    }


def _asset(graph: Graph, samples: Sequence[Sample], faults: Sequence[Fault], key: str) -> dict[str, Any]:
    seen = [sample.assets[key] for sample in samples]
    lags = [asset.lag for asset in seen if asset.lag is not None]
    own = [asset.own_lag for asset in seen if asset.own_lag is not None]
    states = Counter(asset.state for asset in seen)
    broken = not_kept(graph, samples, faults, key)
    causes = Counter(each.cause for each in broken)
    # The scheduler's own, if there is one, is what to look into.
    worst = next((each for each in broken if each.cause is Cause.OWN), broken[0] if broken else None)
    return {
        "asset": key,
        "promised": str(graph.nodes[key].terms),
        "mean_lag": statistics.fmean(lags) if lags else None,
        "max_lag": max(lags, default=None),
        "max_own_lag": max(own, default=None),
        "kept": 1 - causes.total() / len(seen) if seen else None,
        "not_kept": {str(cause): count / len(seen) for cause, count in causes.items()},
        "at_risk": states[Freshness.AT_RISK] / len(seen) if seen else None,
        "blame": blame_words(worst.asset) if worst else "",
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
            f"{asset['promised']}{'; ' + ', '.join(asset['not_kept']) if asset['not_kept'] else ''}"
            f"{': ' + asset['blame'] if asset['blame'] else ''}"
        )
    promises = report["promises"]
    yield f"of {promises['all']} promises {promises['never broken']} were never broken; others in some sample, by cause:"
    for cause in Cause:
        yield f"  {cause}: {promises[str(cause)]}"
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
