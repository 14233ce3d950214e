"""Set-based enrichment from product tables, on rows nobody sees yet.

The rows are loaded into a temporary table, enriched there, and copied into the version with COPY FREEZE. An
UPDATE of the version itself would leave old row versions in it, which a reader with an older snapshot would see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import psycopg
from psycopg import sql

from stir_assets.publish.errors import Refused
from stir_assets.publish.postgres import Connection, raw, translate
from stir_assets.publish.target import Enrichment, Target

_CHUNK = 1 << 18
# A single UPDATE or DELETE of the rows says itself what it did to their number; a WITH before it could hide more.
_COUNTED = re.compile(r"\s*(update|delete\s+from)\s+\{table\}[^;]*\Z", re.IGNORECASE)


def enrich(
    connection: Connection,
    target: Target,
    table: sql.Composable,
    rows: int,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Run the declared steps in one snapshot of the product tables; returns the rows each step dropped.

    `tell` hears of each step before it runs.
    """
    dropped: dict[str, int] = {}
    with connection.transaction():
        # The steps join on any column, so the planner should know the table. Roughly is enough: 3,000 of its rows.
        connection.execute("set local default_statistics_target = 10")
        connection.execute(sql.SQL("analyze {}").format(table))
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        for step in target.enrichments:
            tell(f"enriching {rows} rows: {step.name}")
            left = _run(connection, target, step, table, rows)
            if left != rows:
                _judge(target, step, rows, left)
                dropped[step.name] = rows - left
            rows = left
    return dropped


def _run(connection: Connection, target: Target, step: Enrichment, table: sql.Composable, rows: int) -> int:
    """One step on a table of so many rows; returns how many are left."""
    try:
        done = connection.execute(raw(step.sql).format(table=table))
        if counted := _COUNTED.match(step.sql):
            return rows if counted[1].lower() == "update" else rows - done.rowcount
        row = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()
    except psycopg.Error as error:
        state = error.diag.sqlstate or ""
        if state[:2] in ("22", "23"):
            raise Refused(target.name, f"enrichment {step.name}", str(error).strip()) from error
        raise translate(error, f"{target.name}: enrichment {step.name}") from error
    assert row is not None  # noqa: S101 - count always has a row
    return int(row[0])


def _judge(target: Target, step: Enrichment, rows: int, left: int) -> None:
    if left > rows or not step.drops_rows:
        raise Refused(
            target.name,
            f"enrichment {step.name}",
            f"it changed the number of rows from {rows} to {left}"
            + ("" if left > rows else "; declare drops_rows=True if it should"),
            details={"before": rows, "after": left},
        )
    share = (rows - left) / rows
    if share > step.max_dropped:
        raise Refused(
            target.name,
            f"enrichment {step.name}",
            f"it dropped {rows - left} of {rows} rows, a share of {share:.0%} where {step.max_dropped:.0%} is allowed",
            details={"before": rows, "after": left, "max_dropped": step.max_dropped},
        )


def transfer(
    source: Connection,
    source_table: sql.Composable,
    destination: Connection,
    destination_table: sql.Composable,
    columns: list[str],
    tick: Callable[[], None],
) -> int:
    """COPY the enriched rows into the version, frozen; returns the rows PostgreSQL counted in.

    Both sides are COPY BINARY in chunks, so that no value is formatted or parsed again.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    out = sql.SQL("copy {} ({}) to stdout (format binary)").format(source_table, names)
    into = sql.SQL("copy {} ({}) from stdin (format binary, freeze)").format(destination_table, names)
    writer = destination.cursor()
    with source.cursor().copy(out) as reading, writer.copy(into) as writing:
        for chunk in _chunks(iter(reading)):
            writing.write(chunk)
            tick()
    return writer.rowcount


def _chunks(rows: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    """Rows arrive one by one; write them in larger pieces."""
    held, size = [], 0
    for row in rows:
        held.append(bytes(row))
        size += len(row)
        if size >= _CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
