"""The cut-over: one script in one round trip, under a lock timeout, within a budget of what readers may feel.

A reader waits at most as long as the swap waits for its own lock, so that wait starts short and grows to
`max_reader_block`. The script is sent whole: a client that dies or hangs cannot hold the lock meanwhile.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stir_assets.publish.errors import (
    Fenced,
    IncompleteExport,
    PostgresUnavailable,
    Refused,
    Session,
    SwapTimeout,
)
from stir_assets.publish.manifest import Manifest
from stir_assets.publish.postgres import Connection, connect, translate

FENCED = "ST001"
CHANGED = "ST002"
OVERTAKEN = "ST003"
REFUSED = "ST004"
_RESTART = 30.0  # seconds
_NO_LOCK = "55P03"
_DEADLOCK = "40P01"


@dataclass(frozen=True)
class SwapPolicy:
    """How hard a swap may press. Seconds.

    `max_reader_block` bounds what one attempt may cost a reader; `budget` the time over all attempts.
    `terminate_idle` ends sessions that block while idle in a transaction for longer (None: never).
    """

    first_wait: float = 0.1
    growth: float = 1.7
    max_reader_block: float = 1.0
    pause: tuple[float, float] = (0.1, 1.0)
    budget: float = 600.0
    terminate_idle: float | None = None


class CarriedChanged(Exception):
    """Something that hangs off the live table changed since it was captured; rebuild and try again."""


@dataclass(frozen=True)
class SwapResult:
    """How the swap went: attempts and the seconds the last one took."""

    attempts: int
    seconds: float


def fence(schema: str, target: str, version: str, previous: str | None, seen: int, mode: str) -> sql.Composed:
    """Compare-and-set on the manifest: only who saw the latest publication may publish the next."""
    return sql.SQL(
        "do $fence$ begin update {schema}.target set previous = {previous}, current = {version}, seq = seq + 1, "
        "mode = {mode} where name = {target} and seq = {seen}; "
        "if not found then raise exception 'fenced' using errcode = {code}; end if; end $fence$"
    ).format(
        schema=sql.Identifier(schema),
        version=sql.Literal(version),
        previous=sql.Literal(previous),
        target=sql.Literal(target),
        seen=sql.Literal(seen),
        mode=sql.Literal(mode),
        code=sql.Literal(FENCED),
    )


def unchanged(query: sql.Composable, expected: str) -> sql.Composed:
    """Fail the swap when what hangs off the table is not what was carried."""
    return sql.SQL(
        "do $same$ begin if {} is distinct from {} then raise exception 'changed' using errcode = {}; end if; end $same$"
    ).format(query, sql.Literal(expected), sql.Literal(CHANGED))


def run(
    connection: Connection,
    target: str,
    statements: Sequence[sql.Composable],
    policy: SwapPolicy,
    relations: Sequence[int],
    *,
    committed: Callable[[], bool],
    waiting: Callable[[int, list[Session]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> SwapResult:
    """Run the script until it commits. `committed` answers, on a fresh session, whether it did after all.

    `waiting(attempt, blockers)` is called between attempts and may raise to give up. Raises Fenced, SwapTimeout,
    CarriedChanged, or the family of PostgreSQL's error.
    """
    begun, wait, attempt = time.monotonic(), policy.first_wait, 0
    while True:
        attempt += 1
        started = time.monotonic()
        try:
            _attempt(connection, target, statements, wait)
            return SwapResult(attempt, time.monotonic() - started)
        except psycopg.OperationalError as error:
            if error.diag.sqlstate not in (_NO_LOCK, _DEADLOCK):
                if connection.closed and committed():
                    return SwapResult(attempt, time.monotonic() - started)
                raise translate(error, f"{target}: swap") from error
        blocked_by = holders(connection, relations)
        elapsed = time.monotonic() - begun
        if elapsed + policy.pause[0] > policy.budget:
            raise SwapTimeout(target, attempt, elapsed, blocked_by)
        waiting(attempt, blocked_by)
        _terminate_idle(connection, blocked_by, policy.terminate_idle)
        wait = min(wait * policy.growth, policy.max_reader_block)
        sleep(random.uniform(*policy.pause))  # noqa: S311 - jitter


def committed(dsn: str, schema: str, public_schema: str, target: str, version: str, pid: int) -> bool:
    """Whether the swap of a lost session has made `version` live. Waits for a server that restarts.

    The session may still be at it, so it is ended first: what is reported as lost must not happen later.
    """
    until = time.monotonic() + _RESTART
    while True:
        try:
            with connect(dsn, f"stir-publish-outcome:{version}") as fresh:
                end_session(fresh, pid)
                row = Manifest(fresh, schema, public_schema).target(target)
                return row is not None and row.current == version
        except (PostgresUnavailable, psycopg.OperationalError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def end_session(fresh: Connection, pid: int) -> None:
    """End a session of a publication that nobody listens to any more, and wait until it is gone."""
    fresh.execute(
        "select pg_catalog.pg_terminate_backend(pid, 10000) from pg_catalog.pg_stat_activity "
        "where pid = %s and application_name like 'stir-publish%%'",
        (pid,),
    )


def _attempt(connection: Connection, target: str, statements: Sequence[sql.Composable], wait: float) -> None:
    head: list[sql.Composable] = [
        sql.SQL("begin"),
        sql.SQL("set local lock_timeout = {}").format(sql.Literal(f"{max(1, round(wait * 1000))}ms")),
        sql.SQL("set local idle_in_transaction_session_timeout = '5s'"),
    ]
    script = sql.SQL(";\n").join([*head, *statements, sql.SQL("commit")])
    try:
        connection.execute(script)
    except psycopg.Error as error:
        if not connection.closed:
            connection.rollback()
            connection.execute("rollback")
        code = error.diag.sqlstate
        if code == FENCED:
            raise Fenced(target) from error
        if code == CHANGED:
            raise CarriedChanged from error
        if code == REFUSED:
            guard = error.diag.message_primary or "check"
            raise Refused(target, guard, "it returns rows that should not exist after the merge") from error
        if code == OVERTAKEN:
            raise IncompleteExport(
                f"{target}: somebody else wrote to the live table while the changes were worked out; publish again"
            ) from error
        if isinstance(error, psycopg.OperationalError):
            raise
        raise translate(error, f"{target}: swap") from error


def holders(connection: Connection, relations: Sequence[int]) -> list[Session]:
    """Who holds a lock on the relations to be swapped, longest first."""
    if connection.closed:
        raise PostgresUnavailable("the session of the swap was lost; publish again")
    rows = connection.execute(
        "select distinct a.pid, a.usename, a.application_name, a.state, extract(epoch from clock_timestamp() - "
        "coalesce(a.xact_start, a.state_change))::float8 as age, left(a.query, 120) "
        "from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a using (pid) "
        "where l.granted and l.relation = any(%s) and l.pid <> pg_catalog.pg_backend_pid() "
        "and l.database = (select oid from pg_catalog.pg_database where datname = current_database()) "
        "order by age desc nulls last limit 20",
        (list(relations),),
    ).fetchall()
    return [Session(*row) for row in rows]


def _terminate_idle(connection: Connection, blocked_by: Sequence[Session], after: float | None) -> None:
    for session in blocked_by:
        if (
            after is not None
            and session.state == "idle in transaction"
            and (session.age_seconds or 0) >= after
        ):
            connection.execute("select pg_catalog.pg_terminate_backend(%s)", (session.pid,))
