"""`stir plan`: what the declared terms give and cost, against the cron tiers they replaced."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from stir_assets.errors import ConfigError

if TYPE_CHECKING:
    from stir_assets.automation.what_if import Served, WhatIf

_HEADER = ("serving table", "promised", "cron mean", "p95", "max", "terms mean", "p95", "max", "better by")
_WORK_HEADER = ("group", "cron builds/day", "min/day", "terms builds/day", "min/day")
_TEXT_COLUMNS = {_HEADER: 2, _WORK_HEADER: 1}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots.")
@click.option("--work", "show_work", is_flag=True, help="Builds and minutes a day by group of assets.")
@click.option("--days", type=click.FloatRange(min=1, max=60), default=7.0, show_default=True)
def command(as_json: bool, html: Path | None, show_work: bool, days: float) -> None:
    """Simulate the declared freshness terms and the old cron tiers: served lag and work of each.

    Both run on the real graph, with the same sources and the run times measured on the running stack (without
    a stack: five seconds an asset). The terms are decided on by the scheduler's own code. Starting a run is
    charged as measured: dbt's command line for the cron tiers, a warm fork for Stir.
    """
    assets, seconds = _graph_and_times()
    from stir_assets.automation.what_if import compare

    started = time.monotonic()
    result = compare(assets, seconds, days=days)
    took = time.monotonic() - started
    if html:
        html.write_text(_page(result))
    if as_json:
        click.echo(json.dumps(_as_json(result), indent=2))
        return
    _print(_HEADER, _rows(result))
    if show_work:
        _print(_WORK_HEADER, _work_rows(result))
    for line in _work(result):
        click.echo(line)
    click.echo(f"{days:g} days of each simulated in {took:.1f} s" + (f"; plots in {html}" if html else ""))


def _print(header: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < _TEXT_COLUMNS[header] else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 180).print(table)


def _graph_and_times() -> tuple[Any, dict[str, float]]:
    from stir_assets.local.connect import connected_settings
    from stir_assets.settings import Settings

    instance, settings = None, None
    try:
        settings = connected_settings()
    except ConfigError:
        # No stack: the graph is the same, and nothing is connected to.
        nowhere = {
            "STIR_CLICKHOUSE_HOST": "none",
            "STIR_POSTGRES_DSN": "postgresql://none",
            "STIR_S3_BUCKET": "none",
        }
        graph_settings = Settings.from_env(nowhere)
    else:
        graph_settings = settings
    import dagster as dg

    from stir_assets.automation.durations import Durations
    from stir_assets.build import build_definitions

    assets = build_definitions(graph_settings).get_repository_def().asset_graph
    durations = Durations()
    if settings is not None:
        instance = dg.DagsterInstance.get()
        for node in assets.asset_nodes:
            if node.is_executable:
                durations.read_history(instance, node.key.to_user_string())
    return assets, durations.medians()


def _rows(result: WhatIf) -> list[list[str]]:
    rows = []
    for key, (old, new) in result.served.items():
        better = f"{old.mean / new.mean:.1f} x" if old and new and new.mean else "-"
        rows.append([key.removeprefix("serving/"), result.promises[key], *_words(old), *_words(new), better])
    return rows


def _work_rows(result: WhatIf) -> list[list[str]]:
    rows = []
    for group, pair in sorted(result.work.items(), key=lambda item: -item[1][1].seconds):
        cells = [
            [f"{work.builds / result.days:,.0f}", f"{work.seconds / result.days / 60:,.1f}"] for work in pair
        ]
        rows.append([group, *cells[0], *cells[1]])
    return rows


def _words(served: Served | None) -> list[str]:
    from stir_assets.automation.freshness import lag_words

    if served is None:
        return ["-", "-", "-"]
    return [lag_words(value) for value in (served.mean, served.p95, served.longest)]


def _work(result: WhatIf) -> list[str]:
    old = [pair[0].mean for pair in result.served.values() if pair[0] and pair[1]]
    new = [pair[1].mean for pair in result.served.values() if pair[0] and pair[1]]
    lines = [
        f"{name}: {len(outcome.requests):,} runs, {sum(outcome.builds.values()):,} builds, "
        f"{outcome.work_seconds / 3600:.1f} h of work, {outcome.start_up_seconds / 3600:.1f} of it to start runs"
        for name, outcome in (("cron tiers", result.cron), ("terms", result.terms))
    ]
    if new and sum(new):
        lines.append(
            f"mean served lag over all tables: {sum(old) / len(old) / 3600:.2f} h by cron, "
            f"{sum(new) / len(new) / 3600:.2f} h by terms: {sum(old) / sum(new):.1f} times lower"
        )
    lines.append(f"run times measured for {result.measured} assets")
    return lines


def _as_json(result: WhatIf) -> dict[str, Any]:
    def plain(served: Served | None) -> dict[str, float] | None:
        if served is None:
            return None
        return {f"{name}_seconds": round(value, 1) for name, value in dataclasses.asdict(served).items()}

    return {
        "days": result.days,
        "measured_run_times": result.measured,
        "served": {
            key: {"promised": result.promises[key], "cron": plain(old), "terms": plain(new)}
            for key, (old, new) in result.served.items()
        },
        "work": {
            name: {
                "runs": len(outcome.requests),
                "builds": sum(outcome.builds.values()),
                "work_seconds": round(outcome.work_seconds, 1),
                "start_up_seconds": round(outcome.start_up_seconds, 1),
            }
            for name, outcome in (("cron", result.cron), ("terms", result.terms))
        },
        "work_by_group": {
            group: {"cron": dataclasses.asdict(old), "terms": dataclasses.asdict(new)}
            for group, (old, new) in result.work.items()
        },
    }


def _page(result: WhatIf) -> str:
    from stir_assets.core.scheduling.plan_html import Panel, page

    panels = [
        Panel(
            key,
            f"promised {result.promises[key]}",
            result.cron.lags.get(key),
            result.terms.lags.get(key),
        )
        for key in result.served
    ]
    return page(
        f"Stir: {result.days:g} days by cron and by terms", _work(result), _HEADER, _rows(result), panels
    )
