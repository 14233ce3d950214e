"""`stir seed`: fills every source table with the generated world, or lets its time pass."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime

import click
import psycopg
from rich.console import Console

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.durations import parse_duration
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings
from stir_assets.world.build import advance_world, build_world, row_counts
from stir_assets.world.storage import WorldState


@click.command()
@click.option(
    "--scale",
    type=float,
    default=1.0,
    show_default=True,
    help="1: 3,000 accounts, 60,000 posts, 1.5 million events.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another number, another world.")
@click.option(
    "--now",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="The moment the world ends at, UTC; default: the last full hour.",
)
@click.option(
    "--advance", metavar="DURATION", help="Let time pass in the world that is there, e.g. 6h, 90s, 1d."
)
@click.option("--replace", is_flag=True, help="Empty all source tables first.")
def command(scale: float, seed: int, now: datetime | None, advance: str | None, replace: bool) -> None:
    """Fill every source table and the product's PostgreSQL tables with a deterministic, believable world."""
    if advance and (replace or now):
        raise click.UsageError("--advance continues the world that is there: leave out --replace and --now")
    settings = connected_settings()
    if settings.environment == "prod":
        raise ConfigError("STIR_ENV=prod: generated rows do not belong there; use local or staging")
    started = time.monotonic()
    console = Console(stderr=True)
    with (
        contextlib.closing(clickhouse_client(settings.clickhouse)) as client,
        psycopg.connect(settings.postgres_dsn, autocommit=True) as connection,
        console.status("seeding") as status,
    ):

        def progress(name: str) -> None:
            status.update(f"seeding: {name}")

        if advance:
            state = advance_world(
                client, parse_duration(advance), product_connection=connection, progress=progress
            )
        else:
            state = build_world(
                client,
                scale=scale,
                seed=seed,
                now=now.replace(tzinfo=UTC) if now else None,
                product_connection=connection,
                replace=replace,
                progress=progress,
            )
        counts = row_counts(client)
    _report(state, counts, time.monotonic() - started)


def _report(state: WorldState, counts: dict[str, int], seconds: float) -> None:
    for key, count in counts.items():
        click.echo(f"{key:<50} {count:>12,}")
    click.echo(
        f"world of seed {state.seed}, scale {state.scale:g}, up to {state.clock:%Y-%m-%d %H:%M:%S} UTC: "
        f"{sum(counts.values()):,} rows in {len(counts)} tables, {seconds:.1f} s"
    )
