"""Connections to PostgreSQL, its errors as ours, and who blocks whom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from stir_assets.errors import StirError
from stir_assets.publish.errors import PostgresRefused, PostgresUnavailable, Session

Connection = psycopg.Connection[tuple]

# A DBA's global timeouts, search_path or time zone must not change what a publication does; a session that
# loses its client inside a transaction ends by itself.
_OPTIONS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "120s",
    "search_path": "",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "client_min_messages": "warning",
    "default_transaction_isolation": "read\\ committed",
    "default_transaction_read_only": "off",
}


def connect(dsn: str, application: str) -> Connection:
    """A session in autocommit with every setting that matters stated. Raises PostgresUnavailable."""
    options = " ".join(f"-c {name}={value.replace(', ', ',')}" for name, value in _OPTIONS.items())
    try:
        connection = psycopg.connect(
            dsn,
            autocommit=True,
            application_name=application[:63],
            options=options,
            client_encoding="UTF8",
            connect_timeout=10,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30000,
        )
    except psycopg.OperationalError as error:
        raise PostgresUnavailable(f"connecting to PostgreSQL: {error}") from error
    connection.prepare_threshold = None
    return connection


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """psycopg's errors as ours; `what` names the step and the object."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, what) from error


def translate(error: psycopg.Error, what: str) -> StirError:
    """Transient: the connection, a deadlock, a serialization failure, a lock, a server that starts or stops."""
    state = error.diag.sqlstate or error.sqlstate
    text = str(error).strip()
    if state is None or state[:2] in ("08", "40", "57") or state in ("55P03", "53300"):
        return PostgresUnavailable(f"{what}: {text}")
    hint = {
        "53100": "; free disk space on the PostgreSQL server and publish again",
        "25006": "; the server is a read-only replica: publish to the primary",
        "42501": "; grant the publishing role what it misses",
    }.get(state, "")
    return PostgresRefused(f"{what}: {state}: {text}{hint}")


def blockers(connection: Connection, pid: int) -> list[Session]:
    """The sessions that block `pid` now."""
    rows = connection.execute(_SESSIONS + "where a.pid = any(pg_blocking_pids(%s))", (pid,)).fetchall()
    return [Session(*row) for row in rows]


def sessions(connection: Connection, pids: Sequence[int]) -> list[Session]:
    """What pg_stat_activity says about some sessions."""
    return [
        Session(*row)
        for row in connection.execute(_SESSIONS + "where a.pid = any(%s)", (list(pids),)).fetchall()
    ]


_SESSIONS: LiteralString = (
    "select a.pid, a.usename, a.application_name, a.state, "
    "extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.state_change))::float8, left(a.query, 120) "
    "from pg_catalog.pg_stat_activity a "
)


def raw(text: str) -> sql.SQL:
    """SQL that is trusted because it comes from a declaration or from the server's own catalog functions."""
    return sql.SQL(cast(LiteralString, text))


def qualified(schema: str, name: str) -> sql.Identifier:
    """A quoted, qualified name."""
    return sql.Identifier(schema, name)
