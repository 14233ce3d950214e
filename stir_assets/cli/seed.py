"""`stir seed`: fills every source table with the generated world, or lets its time pass."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import psycopg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.durations import parse_duration
from stir_assets.errors import ConfigError, TransientError
from stir_assets.local.connect import connected_settings
from stir_assets.settings import Settings
from stir_assets.world.build import advance_world, build_world, row_counts
from stir_assets.world.storage import WorldState


class Duration(click.ParamType):
    """A duration such as 90s, 6h or 1d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--scale", type=float, default=1.0, show_default=True, help="1: 60,000 posts; 10 works, 0.02 too."
)
@click.option("--seed", type=int, default=7, show_default=True, help="Another number, another world.")
@click.option(
    "--now",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="The world's last moment, UTC. Default: the last full hour.",
)
@click.option("--advance", type=Duration(), help="Let time pass in the world that is there: 90s, 6h, 1d.")
@click.option("--replace", is_flag=True, help="Empty all source tables first.")
@click.pass_context
def command(
    ctx: click.Context,
    scale: float,
    seed: int,
    now: datetime | None,
    advance: timedelta | None,
    replace: bool,
) -> None:
    """Fill every source table and the product's PostgreSQL tables with a deterministic, believable world.

    The same --seed, --scale and --now give identical rows. A stack that holds rows is left alone unless
    --replace is given.
    """
    given = [
        f"--{name}"
        for name in ("scale", "seed", "now", "replace")
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    ]
    if advance and given:
        raise click.UsageError(f"--advance continues the world that is there: leave out {', '.join(given)}")
    settings = connected_settings()
    if settings.environment == "prod":
        raise ConfigError("STIR_ENV=prod: generated rows do not belong there; use local or staging")
    started = time.monotonic()
    with connections(settings) as (client, connection), Console(stderr=True).status("seeding") as status:

        def progress(name: str) -> None:
            status.update(f"seeding: {name}")

        if advance:
            state = advance_world(client, advance, product_connection=connection, progress=progress)
        else:
            moment = now.replace(tzinfo=UTC) if now else None
            state = build_world(
                client,
                scale=scale,
                seed=seed,
                now=moment,
                product_connection=connection,
                replace=replace,
                progress=progress,
            )
        counts = row_counts(client)
    _report(state, counts, time.monotonic() - started)


@contextlib.contextmanager
def connections(settings: Settings) -> Iterator[tuple[Client, psycopg.Connection]]:
    """Both engines; what they say when they fail becomes one clear line with the next step."""
    try:
        with (
            contextlib.closing(clickhouse_client(settings.clickhouse)) as client,
            psycopg.connect(settings.postgres_dsn, autocommit=True) as connection,
        ):
            yield client, connection
    except (ClickHouseError, psycopg.Error) as error:
        engine = "ClickHouse" if isinstance(error, ClickHouseError) else "PostgreSQL"
        first_line = str(error).strip().splitlines()[0][:300]
        raise TransientError(
            f"{engine} failed while seeding: {first_line}. Look at `stir status`; then run `stir seed --replace`"
        ) from error


def _report(state: WorldState, counts: dict[str, int], seconds: float) -> None:
    for key, count in counts.items():
        click.echo(f"{key:<50} {count:>12,}")
    click.echo(
        f"world of seed {state.seed}, scale {state.scale:g}, up to {state.clock:%Y-%m-%d %H:%M:%S} UTC: "
        f"{sum(counts.values()):,} rows in {len(counts)} tables, {seconds:.1f} s"
    )
