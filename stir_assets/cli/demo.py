"""`stir demo`: a whole platform on this machine, from nothing to published tables."""

from __future__ import annotations

import subprocess
import sys

import click
import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from stir_assets.cli.run import run_and_report
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import PermanentError
from stir_assets.local.connect import connected_settings
from stir_assets.local.stack import Stack
from stir_assets.settings import Settings
from stir_assets.world.build import build_world
from stir_assets.world.storage import read_state

DEFAULT_SCALE = 0.1


@click.command()
@click.option(
    "--scale", type=float, default=DEFAULT_SCALE, show_default=True, help="Size of the generated world."
)
@click.option("--no-ui", is_flag=True, help="Only the engines, without Dagster's webserver and daemon.")
def command(scale: float, no_ui: bool) -> None:
    """Start the stack, fill the sources with a generated world, build and publish everything, say where to look.

    A world that is there already is kept. The stack is left running.
    """
    console = Console(width=max(Console().width, 100))  # tables whole, also when nobody says how wide
    _up("--no-ui")
    settings = connected_settings()
    _seed(settings, scale, console)
    run_and_report("*")
    if not no_ui:
        # Only now: with the daemon running, freshness would start to build the same tables.
        _up()
    _show(settings, console)
    _say_where(console, no_ui)


def _up(*options: str) -> None:
    # Its own process, as a user would call it: the supervisor must outlive this one.
    arguments = [sys.executable, "-m", "stir_assets.cli", "up", "--detach", *options]
    if subprocess.run(arguments, check=False).returncode:
        raise PermanentError("the stack did not start; its message is above, its logs are in .stir/logs")


def _seed(settings: Settings, scale: float, console: Console) -> None:
    client = clickhouse_client(settings.clickhouse)
    try:
        if (state := read_state(client)) is not None:
            console.print(
                f"a world of scale {state.scale:g} is there already, up to {state.clock:%d %b %H:%M} UTC"
            )
            return
        with (
            console.status(f"generating a world of scale {scale}"),
            psycopg.connect(settings.postgres_dsn, autocommit=True) as product,
        ):
            build_world(client, scale=scale, product_connection=product)
    finally:
        client.close()
    console.print(f"generated a world of scale {scale}")


def _show(settings: Settings, console: Console) -> None:
    """The published tables as the application sees them, and a few rows of the leaderboard."""
    with psycopg.connect(settings.postgres_dsn) as connection:
        published = connection.execute(
            'select "table", rows, published_at, data_time from stir.publication order by "table"'
        ).fetchall()
        table = Table("published table", "rows", "published (UTC)", "data up to (UTC)")
        for name, rows, published_at, data_time in published:
            table.add_row(
                name,
                f"{rows:,}",
                f"{published_at:%H:%M:%S}",
                f"{data_time:%d %b %H:%M}" if data_time else "-",
            )
        console.print(table)
        query = sql.SQL(
            "select platform, handle, followers, followers_change, views, views_rank from {} "
            "where month = (select max(month) from {}) and platform = 'YOUTUBE' order by views_rank limit 5"
        ).format(*[sql.Identifier("public", "leaderboard")] * 2)
        top = Table(
            "platform", "handle", "followers", "change", "views", "rank", title="leaderboard of this month"
        )
        for row in connection.execute(query):
            top.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
        console.print(top)


def _say_where(console: Console, no_ui: bool) -> None:
    state = Stack().state()
    if not no_ui and state is not None and "webserver" in state.services:
        console.print(f"lineage, runs and freshness:  {state.services['webserver'].address}", highlight=False)
    console.print(
        'the tables:                   eval "$(.venv/bin/stir env)", then any client', highlight=False
    )
    console.print("let time pass:                stir seed --advance 1h, then stir run '*'", highlight=False)
    console.print("stop everything:              make down  (or: stir down)", highlight=False)
