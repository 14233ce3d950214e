"""`stir freshness`: what was promised, what is true, who is to blame."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from stir_assets.core.scheduling.report import AssetFreshness, Freshness

_COLORS = {
    Freshness.FRESH: "green",
    Freshness.AT_RISK: "yellow",
    Freshness.BROKEN: "red",
    Freshness.NEVER_BUILT: "magenta",
    Freshness.NO_PROMISE: "bright_black",
}
_WATCH_SECONDS = 5
_LATE = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--watch", is_flag=True, help="Again every five seconds, until Ctrl-C.")
@click.option("--check", is_flag=True, help="Only report promises that cannot be kept; exit code 3 if any.")
@click.option("--late", is_flag=True, help="Only what is not fresh.")
@click.option("--sources", is_flag=True, help="The sources too.")
def command(as_json: bool, watch: bool, check: bool, late: bool, sources: bool) -> None:
    """What each asset promises, how old its data is, when it is due next, and whose fault a delay is.

    Lag is counted from the newest source event in the table, not from the last run. `own` is the part of it
    that a run now would remove. Exit code 3 if a promise is broken.
    """
    if watch and (as_json or check):
        raise click.UsageError("--watch is for the eye: leave out --json and --check")
    graph, instance = _connect()
    if check:
        _check(graph, instance, as_json)
        return
    from stir_assets.automation.durations import Durations
    from stir_assets.automation.freshness import observe_platform

    durations = Durations()

    def look() -> list[AssetFreshness]:
        found = observe_platform(instance, graph, durations).assets
        return [
            asset
            for asset in found
            if (asset.managed or sources) and not (late and asset.state is Freshness.FRESH)
        ]

    console = Console()
    if watch:
        with Live(_table(look()), console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(_WATCH_SECONDS)
                live.update(_table(look()), refresh=True)
    assets = look()
    if as_json:
        click.echo(
            json.dumps({"at": _time(time.time()), "assets": [_as_json(asset) for asset in assets]}, indent=2)
        )
    else:
        # A pipe has no width of its own; nothing is cut there.
        Console(width=None if sys.stdout.isatty() else 250).print(_table(assets))
        click.echo(_summary(assets))
    if any(asset.managed and asset.state is Freshness.BROKEN for asset in assets):
        sys.exit(_LATE)


def _connect() -> tuple[Any, Any]:
    """The planner's graph and Dagster's instance of the running stack."""
    from stir_assets.local.connect import connected_settings

    settings = connected_settings()
    import dagster as dg

    from stir_assets.automation.graph import graph_of
    from stir_assets.build import build_definitions

    definitions = build_definitions(settings)
    return graph_of(definitions.get_repository_def().asset_graph), dg.DagsterInstance.get()


def _check(graph: Any, instance: Any, as_json: bool) -> None:
    from stir_assets.automation.decide import POLICY
    from stir_assets.automation.durations import Durations
    from stir_assets.core.scheduling.feasibility import impossible_promises

    durations = Durations()
    for key, node in graph.nodes.items():
        if node.managed:
            durations.read_history(instance, key)
    problems = impossible_promises(graph, durations.medians(), POLICY)
    if as_json:
        found = [
            {"asset": p.key, "promised": str(p.terms), "reason": p.reason, "possible_seconds": p.possible}
            for p in problems
        ]
        click.echo(json.dumps({"impossible": found}, indent=2))
    else:
        for problem in problems:
            click.secho(f"{problem.key}: {problem.terms}: {problem.reason}", fg="red")
        if not problems:
            promised = sum(node.managed and node.terms is not None for node in graph.nodes.values())
            click.echo(
                f"all {promised} promises can be kept, by {len(durations.medians())} measured run times"
            )
    if problems:
        sys.exit(_LATE)


def _table(assets: list[AssetFreshness]) -> Table:
    from stir_assets.automation.freshness import blame_words, lag_words

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("asset", "promised", "lag", "own", "state", "next due", "now", "because of"):
        table.add_column(name, overflow="fold" if name in ("asset", "because of") else "ellipsis")
    order = [
        Freshness.BROKEN,
        Freshness.NEVER_BUILT,
        Freshness.AT_RISK,
        Freshness.FRESH,
        Freshness.NO_PROMISE,
    ]
    for asset in sorted(assets, key=lambda asset: (order.index(asset.state), asset.key)):
        due = None if asset.next_due is None else max(0.0, asset.next_due - time.time())
        table.add_row(
            asset.key,
            str(asset.terms or "-"),
            lag_words(asset.lag),
            lag_words(asset.own_lag),
            f"[{_COLORS[asset.state]}]{asset.state}[/]",
            "-" if due is None else "now" if due == 0 else f"in {lag_words(due)}",
            asset.verdict,
            blame_words(asset),
        )
    return table


def _summary(assets: list[AssetFreshness]) -> str:
    count = Counter(asset.state for asset in assets if asset.managed)
    return ", ".join(f"{count[state]} {state}" for state in Freshness if count[state])


def _as_json(asset: AssetFreshness) -> dict[str, Any]:
    found = asdict(asset)
    found["terms"] = None if asset.terms is None else str(asset.terms)
    for name in ("data_time", "built_at", "next_due"):
        found[name] = _time(found[name])
    for name in ("lag", "own_lag"):
        found[f"{name}_seconds"] = None if found[name] is None else round(found.pop(name), 1)
        found.pop(name, None)
    return found


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
