"""What a candidate must show before readers may see it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

from stir_assets.publish import swap
from stir_assets.publish.errors import Refused
from stir_assets.publish.postgres import Connection, qualified, raw, translate
from stir_assets.publish.target import Guards, SqlCheck, Target


def check_size(target: Target, rows: int, previous: int | None, candidate: str | None) -> list[str]:
    """min_rows and max_shrink refuse, warn_growth warns; returns the warnings."""
    guards: Guards = target.guards
    if rows < guards.min_rows:
        raise Refused(
            target.name,
            "min_rows",
            f"{rows} rows, at least {guards.min_rows} are required",
            details={"rows": rows, "min_rows": guards.min_rows},
            candidate=candidate,
        )
    if not previous:
        return []
    if rows < previous * (1 - guards.max_shrink):
        raise Refused(
            target.name,
            "max_shrink",
            f"{rows} rows against {previous} live ones, a loss of {1 - rows / previous:.0%} where "
            f"{guards.max_shrink:.0%} is allowed",
            details={"rows": rows, "previous_rows": previous, "max_shrink": guards.max_shrink},
            candidate=candidate,
        )
    if rows > previous * guards.warn_growth:
        return [f"grew from {previous} to {rows} rows, more than {guards.warn_growth:g} times"]
    return []


def check_sql(connection: Connection, target: Target, schema: str, table: str, candidate: str | None) -> None:
    """Run the declared checks on the candidate; a returned row refuses."""
    for check in target.guards.checks:
        rows = _failing(connection, check, schema, table)
        if rows:
            raise Refused(
                target.name,
                f"check {check.name}",
                f"the check returned rows that should not exist, for example {rows[0]!r}",
                details={"rows": [list(map(str, row)) for row in rows]},
                candidate=candidate,
            )


def in_transaction(target: Target) -> Iterator[sql.Composed]:
    """The declared checks on the live table as statements that fail the transaction that merged into it."""
    for check in target.guards.checks:
        query = raw(check.sql.strip().rstrip(";")).format(table=qualified(target.schema, target.table))
        yield sql.SQL(
            "do $check$ begin if exists (select from ({}) failing) then raise exception using errcode = {}, "
            "message = {}; end if; end $check$"
        ).format(query, sql.Literal(swap.REFUSED), sql.Literal(f"check {check.name}"))


def _failing(connection: Connection, check: SqlCheck, schema: str, table: str) -> list[tuple]:
    statement = sql.SQL("select * from ({}) failing limit 5").format(
        raw(check.sql.strip().rstrip(";")).format(table=qualified(schema, table))
    )
    try:
        return connection.execute(statement).fetchall()
    except psycopg.Error as error:
        raise translate(error, f"check {check.name}") from error
