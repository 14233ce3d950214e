"""`stir publications`: what is live, since when, and what it can be rolled back to."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from stir_assets.cli.publisher import connected_publisher


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, one object a table.")
def command(as_json: bool) -> None:
    """Versions of the serving tables: the live one and the previous one."""
    published = connected_publisher().publications()
    if as_json:
        click.echo(json.dumps([asdict(table) for table in published], default=_text, indent=2))
        return
    # A name that is cut off is no argument for `stir rollback`: lines wrap on a narrow terminal instead.
    console = Console(width=max(Console().width, 120))
    if not published:
        console.print("nothing is published yet: stir run 'group:serving'")
        return
    table = Table(
        Column("table", no_wrap=True),
        "mode",
        "publication",
        "rows",
        "published (UTC)",
        "data up to (UTC)",
        "rolls back to",
    )
    for row in published:
        before = (
            f"{row.previous_rows:,} rows" if row.previous_version and row.previous_rows is not None else "-"
        )
        table.add_row(
            row.target, row.mode, str(row.sequence), "-" if row.rows is None else f"{row.rows:,}",
            _text(row.published_at), _text(row.data_time), before,
        )  # fmt: skip
    console.print(table)


def _text(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else "-"
