"""`stir run [SELECTION]`: materialize assets now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stir_assets.cli.materialize import RunReport, Step, materialize_selection, require_success
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings
from stir_assets.settings import Settings
from stir_assets.world.schema import existing_columns, source_tables

OLD_DATA = timedelta(days=45)
"""Silence of the event streams after which the data in them is taken for an import of the past."""


@click.command()
@click.argument("selection", default="*")
@click.option("--full-refresh", is_flag=True, help="Build incremental models from the beginning.")
@click.option(
    "--as-of",
    default="auto",
    show_default=True,
    help="What the models take for now: 'now', a day (YYYY-MM-DD), or 'auto': the newest event when the streams "
    f"have been silent for {OLD_DATA.days} days (an import of old data), else now.",
)
def command(selection: str, full_refresh: bool, as_of: str) -> None:
    """Materialize an asset SELECTION now, in dependency order, and show progress.

    SELECTION is Dagster's own syntax: '*' (all, and what is taken without one), 'group:leaderboard',
    '+key:"serving/prod/leaderboard"' (with all it needs), 'key:"stir/mart_leaderboard"+'. The run is recorded and
    shown in the UI like any other.
    """
    run_and_report(selection, full_refresh=full_refresh, as_of=as_of)


def run_and_report(selection: str, *, full_refresh: bool = False, as_of: str = "auto") -> RunReport:
    """The whole of `stir run`, also used by `stir demo`. Raises `PermanentError` when the run fails."""
    settings = connected_settings()
    console = Console()
    with console.status("loading definitions"):
        from stir_assets.build import build_definitions
        from stir_assets.resources.defaults import dbt_runner

        moment = _moment(as_of, settings)
        runner = dbt_runner(settings, full_refresh=full_refresh, as_of=moment)
        defs = build_definitions(settings, resources={"dbt": runner})
    if moment and as_of == "auto":
        console.print(
            f"[yellow]the newest event is of {moment}: building as of then (--as-of now does not)[/]",
            soft_wrap=True,
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(selection, total=None)

        def show(step: Step) -> None:
            progress.update(task, completed=step.done, total=step.total)
            rows = "" if step.rows is None else f"{step.rows:>12,} rows"
            progress.console.print(f"[green]✓[/] {step.asset:<70}{rows}", highlight=False, soft_wrap=True)

        def wait(message: str) -> None:
            progress.console.print(f"[yellow]{message}[/]", highlight=False, soft_wrap=True)

        report = materialize_selection(defs, selection, on_step=show, on_wait=wait)
    for text in report.warnings:
        console.print(f"[yellow]![/] {text}", highlight=False, soft_wrap=True)
    console.print(
        f"{len(report.rows)} assets and {report.checks} checks in {report.seconds:.1f} s, run {report.run_id}",
        highlight=False,
        soft_wrap=True,
    )
    require_success(report)
    return report


def _moment(as_of: str, settings: Settings) -> str | None:
    """The models' now as dbt's var `as_of`; None for the real one. Raises `ConfigError` for what is no day."""
    if as_of == "now":
        return None
    if as_of != "auto":
        try:
            return datetime.strptime(as_of, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
        except ValueError:
            raise ConfigError(
                f"--as-of {as_of!r} is neither 'now', 'auto' nor a day such as 2018-06-14"
            ) from None
    from stir_assets.automation.data_times import newest_event

    client = clickhouse_client(settings.clickhouse)
    try:
        present = existing_columns(client)
        streams = [table for table in source_tables() if table.schema == "_e" and table.key in present]
        times = [
            newest_event(client, f"{stream.schema}/{stream.name}", stream.event_time)
            for stream in streams
            if stream.event_time
        ]
    finally:
        client.close()
    newest = max((time for time in times if time is not None), default=None)
    if newest is None or datetime.now(UTC) - datetime.fromtimestamp(newest, UTC) < OLD_DATA:
        return None
    return datetime.fromtimestamp(newest, UTC).date().isoformat()
