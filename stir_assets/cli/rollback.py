"""`stir rollback TABLE`: the previous version of a serving table, back in one swap."""

from __future__ import annotations

import click

from stir_assets.cli.publisher import connected_publisher
from stir_assets.errors import ConfigError


@click.command()
@click.argument("table")
def command(table: str) -> None:
    """Put the previous version of TABLE back, such as public.leaderboard. Again, and the newer one is live.

    The next publication replaces either; to keep the old one, stop publishing first.
    """
    publisher = connected_publisher()
    known = [published.target for published in publisher.publications()]
    name = table if "." in table else f"public.{table}"
    if name not in known:
        raise ConfigError(f"{name} is not published; these are: {', '.join(known) or 'none'}")
    version = publisher.rollback(name)
    live = next(published for published in publisher.publications() if published.target == name)
    rows = "" if live.rows is None else f", {live.rows:,} rows"
    click.secho(f"{name} is version {version} again{rows}", fg="green")
