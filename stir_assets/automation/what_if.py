"""The declared terms against the old cron tiers, on the real graph, for `stir plan`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from stir_assets.automation.decide import POLICY, families_of
from stir_assets.automation.graph import EVENT_TIME, graph_of
from stir_assets.core.freshness import WindowTerms
from stir_assets.core.scheduling.cron_tiers import CRON_TIERS, Cron
from stir_assets.core.scheduling.model import Graph, Lane
from stir_assets.core.scheduling.simulation import Outcome, Setting, Simulation

# A Monday a day before a weekly cron fires; the first day only warms up.
START = datetime(2030, 1, 7, tzinfo=UTC)
_WARM_UP = timedelta(days=1)
_STREAM = timedelta(hours=1)
_HEAVY = frozenset({"dbt_daily", "dbt_weekly"})
# Seconds of work to start a run. The cron tiers called dbt's command line: imports and a partial parse before the
# first query, measured on 2 cores. Stir forks a process that has both behind it; its figure is an estimate.
CRON_START_UP = 5.3
STIR_START_UP = 1.5


@dataclass(frozen=True)
class Served:
    """Lag of one serving table over the simulated time, in seconds."""

    mean: float
    p95: float
    longest: float


@dataclass(frozen=True)
class Work:
    """Builds and seconds of a group of assets over the simulated time."""

    builds: int
    seconds: float


@dataclass(frozen=True)
class WhatIf:
    """Both worlds after the same time with the same sources, machine and run times."""

    days: float
    measured: int
    """Assets with a measured run time; the others count with the assumed one."""
    cron: Outcome
    terms: Outcome
    served: Mapping[str, tuple[Served | None, Served | None]]
    """By serving table: under cron, under terms."""
    promises: Mapping[str, str]
    work: Mapping[str, tuple[Work, Work]]
    """By group of assets: under cron, under terms."""


def compare(assets: BaseAssetGraph, seconds: Mapping[str, float], *, days: float = 7.0) -> WhatIf:
    """Simulates `days` under each. `seconds` are measured run times by asset."""
    setting = setting_of(assets, seconds)
    start = START.timestamp()
    length = _WARM_UP.total_seconds() + days * 86_400
    measure = start + _WARM_UP.total_seconds()
    warm = replace(setting, machine=replace(setting.machine, start_up=STIR_START_UP))
    stock = replace(setting, machine=replace(setting.machine, start_up=CRON_START_UP))
    terms = Simulation(warm, start, measure).run_terms(length)
    members = tier_members(assets)
    known = {key for keys in members.values() for key in keys}
    unknown = frozenset(key for key, node in setting.graph.nodes.items() if node.managed and key not in known)
    cron = Simulation(stock, start, measure, unknown).run_schedule(
        length,
        list(cron_starts(START, length, members)),
        lambda name: Lane.HEAVY if name in _HEAVY else Lane.REGULAR,
    )
    serving = [key for key in setting.graph.order if key.startswith("serving/")]
    return WhatIf(
        days=days,
        measured=sum(key in seconds for key, node in setting.graph.nodes.items() if node.managed),
        cron=cron,
        terms=terms,
        served={key: (_served(cron, key), _served(terms, key)) for key in serving},
        promises={key: str(setting.graph.nodes[key].terms or "-") for key in serving},
        work={
            group: (_work(setting, cron, group), _work(setting, terms, group))
            for group in sorted(set(setting.families.values()))
            if any(setting.families[key] == group for key in {*cron.builds, *terms.builds})
        },
    )


def setting_of(assets: BaseAssetGraph, seconds: Mapping[str, float]) -> Setting:
    """The simulated world: how often each source has news is taken from its terms."""
    graph = graph_of(assets)
    dated = {node.key.to_user_string() for node in assets.asset_nodes if EVENT_TIME in node.metadata}
    return Setting(graph, source_periods(graph, dated), seconds, families_of(assets), POLICY)


def source_periods(graph: Graph, dated: set[str]) -> dict[str, float]:
    """Seconds between two news: a minute for streams, a third of its `warn` for slower ones, never for lists."""
    periods = {}
    for key, node in graph.nodes.items():
        if node.managed or key not in dated:
            continue
        warn = node.terms.warn if isinstance(node.terms, WindowTerms) else _STREAM * 3
        periods[key] = 60.0 if warn <= _STREAM else warn.total_seconds() / 3
    return periods


def tier_members(assets: BaseAssetGraph) -> dict[str, tuple[str, ...]]:
    """The assets that each old pipeline built."""
    tagged: dict[str, list[str]] = {}
    keys = {node.key.to_user_string() for node in assets.asset_nodes}
    for node in assets.asset_nodes:
        for tag in node.tags:
            tagged.setdefault(tag, []).append(node.key.to_user_string())
    return {
        cron.name: tuple(
            [
                *(tagged.get(cron.tag, []) if cron.tag else []),
                *(key for table in cron.publishes if (key := f"serving/{table}") in keys),
            ]
        )
        for cron in CRON_TIERS
    }


def cron_starts(
    start: datetime, seconds: float, members: Mapping[str, Sequence[str]], tiers: Sequence[Cron] = CRON_TIERS
) -> Iterator[tuple[float, str, Sequence[str]]]:
    """Every moment at which an old pipeline started, with what it built."""
    for minutes in range(int(seconds // 60) + 1):
        moment = start + timedelta(minutes=minutes)
        for cron in tiers:
            if members[cron.name] and cron.fires(moment):
                yield moment.timestamp(), cron.name, members[cron.name]


def _served(outcome: Outcome, key: str) -> Served | None:
    history = outcome.lags.get(key)
    if history is None or not history.segments:
        return None
    return Served(history.mean, history.percentile(0.95), history.longest)


def _work(setting: Setting, outcome: Outcome, group: str) -> Work:
    built = {key: count for key, count in outcome.builds.items() if setting.families[key] == group}
    seconds = sum(count * setting.seconds_of(key) for key, count in built.items())
    return Work(sum(built.values()), seconds)
