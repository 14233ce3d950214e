"""Puts the previous version of a table back: the same swap, the same guarantees, nothing loaded.

What hangs off the live table now (grants, policies, views) is carried to the version that comes back, so a
rollback returns the data and takes nothing else away. Rolling back twice returns to where one was.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from stir_assets.publish import candidate as build
from stir_assets.publish import live, lock, preflight, swap
from stir_assets.publish.candidate import Candidate
from stir_assets.publish.config import PublisherConfig
from stir_assets.publish.cutover import names_left_behind
from stir_assets.publish.errors import NothingToRollBack
from stir_assets.publish.manifest import Manifest, RunRow, TargetRow
from stir_assets.publish.modes.script import Change
from stir_assets.publish.postgres import Connection, connect, translated
from stir_assets.publish.target import Column, Target


def roll_back(config: PublisherConfig, name: str) -> str:
    """Make the previous version of `schema.table` live again; returns its name.

    Raises `NothingToRollBack` for an unknown table or one without a previous version, `Busy` while it is being
    published, `SwapTimeout` when readers do not let go; the live table is then unchanged.
    """
    with connect(config.dsn, f"stir-publish-rollback:{name}") as connection:
        manifest = Manifest(connection, config.private_schema, config.public_schema)
        manifest.bootstrap()
        lock.acquire(connection, config.private_schema, name, config.lease)
        try:
            with translated(f"{name}: rollback"):
                return _swap(config, connection, manifest, name)
        finally:
            lock.release(connection, config.private_schema, name)


def _swap(config: PublisherConfig, connection: Connection, manifest: Manifest, name: str) -> str:
    known, back = _previous(manifest, name)
    columns = live.columns_of(connection, config.private_schema, back.version)
    if columns is None:
        raise NothingToRollBack(f"{name}: its previous version {back.version} was dropped; publish it again")
    schema, table = name.split(".", 1)
    mode = "pointer" if known.mode == "pointer" else "rename"
    target = Target(schema, table, tuple(Column(column, kind) for column, kind, _ in columns), mode=mode)
    was = live.find(connection, manifest, target)
    if was is None or known.current is None:
        raise NothingToRollBack(f"{name} does not exist any more; publish it again")
    pairs = tuple((column, kind) for column, kind, _ in columns)
    preflight.check_carry(connection, target, was, pairs)
    stored: dict[str, Any] = dict(back.names)
    candidate = Candidate(
        target,
        config.private_schema,
        back.version,
        names=dict(stored.get("indexes", {})),
        statistics=[(str(home), str(public), str(own)) for home, public, own in stored.get("statistics", [])],
    )
    # Somebody may still read the version that comes back; nobody else waits for this lock.
    connection.execute(
        sql.SQL("set lock_timeout = {}").format(sql.Literal(f"{round(config.swap.budget * 1000)}ms"))
    )
    build.refresh(connection, candidate, was)
    change = Change(
        target,
        config.private_schema,
        back.version,
        pairs,
        candidate.names,
        candidate.statistics,
        was,
        known.current,
    )
    statements = [
        swap.fence(config.private_schema, name, back.version, known.current, known.seq, known.mode),
        *change.statements(),
        names_left_behind(config.private_schema, was, known.current),
    ]

    pid = connection.info.backend_pid

    def committed() -> bool:
        return swap.committed(
            config.dsn, config.private_schema, config.public_schema, name, back.version, pid
        )

    swap.run(
        connection, name, statements, config.swap, [was.oid], committed=committed, waiting=lambda *_: None
    )
    return back.version


def _previous(manifest: Manifest, name: str) -> tuple[TargetRow, RunRow]:
    known = manifest.target(name)
    if known is None or known.current is None:
        raise NothingToRollBack(f"{name} was never published; `stir publications` lists what was")
    back = manifest.run(known.previous) if known.previous else None
    if back is None:
        raise NothingToRollBack(f"{name} has no previous version: it was published once, or adopted")
    return known, back
