"""One publisher per table: an advisory lock for politeness, a lease for publishers that hang.

Correctness does not rest on it (a connection pooler may lose it): the fence in the manifest does that.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator

from psycopg import sql

from stir_assets.publish.errors import Busy, Session
from stir_assets.publish.postgres import Connection, connect, sessions, translated


def lock_key(schema: str, target: str) -> int:
    """A stable 64-bit key for a target of one manifest."""
    digest = hashlib.sha256(f"stir.publish:{schema}:{target}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def acquire(connection: Connection, schema: str, target: str, lease: float) -> None:
    """Take the lock for this session. Raises Busy with the holder.

    A holder whose run has had no heartbeat for `lease` seconds is ended first: its process hangs or is gone.
    """
    key = lock_key(schema, target)
    holders: list[Session] = []
    with translated(f"locking {target}"):
        for _ in range(2):
            got = connection.execute("select pg_catalog.pg_try_advisory_lock(%s)", (key,)).fetchone()
            if got and got[0]:
                return
            holders = _holders(connection, key)
            if not _end_expired(connection, schema, target, holders, lease):
                break
    raise Busy(target, holders)


def release(connection: Connection, schema: str, target: str) -> None:
    """Give the lock back; a lost connection has done so already."""
    if not connection.closed:
        with contextlib.suppress(Exception):
            connection.execute("select pg_catalog.pg_advisory_unlock(%s)", (lock_key(schema, target),))


def _holders(connection: Connection, key: int) -> list[Session]:
    rows = connection.execute(
        "select pid from pg_catalog.pg_locks where locktype = 'advisory' and granted and objsubid = 1 "
        "and database = (select oid from pg_catalog.pg_database where datname = current_database()) "
        "and (classid::bigint << 32) | objid::bigint = %s",
        (key,),
    ).fetchall()
    return sessions(connection, [row[0] for row in rows])


def _end_expired(
    connection: Connection, schema: str, target: str, holders: list[Session], lease: float
) -> bool:
    """End holders whose lease is over; True when one was ended."""
    ended = False
    for holder in holders:
        expired = connection.execute(
            sql.SQL(
                "select 1 from {}.run where target = %s and pid = %s and state = any(%s) "
                "and heartbeat < clock_timestamp() - make_interval(secs => %s)"
            ).format(sql.Identifier(schema)),
            (target, holder.pid, ["locked", "exporting", "loading", "indexing", "analyzed", "ready"], lease),
        ).fetchone()
        if expired:
            done = connection.execute(
                "select pg_catalog.pg_terminate_backend(%s, 5000)", (holder.pid,)
            ).fetchone()
            ended = ended or bool(done and done[0])
    return ended


@contextlib.contextmanager
def heartbeat(dsn: str, schema: str, version: str, lease: float) -> Iterator[None]:
    """Keep a run's heartbeat fresh from a session of its own while the block runs."""
    stopped = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(dsn, schema, version, max(0.2, lease / 4), stopped), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=15)


def _beat(dsn: str, schema: str, version: str, interval: float, stopped: threading.Event) -> None:
    """A heartbeat that cannot be written is no reason to stop: the lease then simply runs out."""
    statement = sql.SQL("update {}.run set heartbeat = clock_timestamp() where version = %s").format(
        sql.Identifier(schema)
    )
    connection: Connection | None = None
    while not stopped.wait(interval):
        try:
            if connection is None or connection.closed:
                connection = connect(dsn, f"stir-publish-heartbeat:{version}")
            connection.execute(statement, (version,))
        except Exception:
            connection = None
    if connection is not None:
        with contextlib.suppress(Exception):
            connection.close()
