"""Puts the previous version of a table back: the same swap, the same guarantees, nothing loaded.

What hangs off the live table now (grants, policies, views) is carried to the version that comes back, so a
rollback returns the data and takes nothing else away. Rolling back twice returns to where one was.
"""

from __future__ import annotations

from typing import Any

from stir_assets.publish import candidate as build
from stir_assets.publish import lock, preflight, swap
from stir_assets.publish.candidate import Candidate
from stir_assets.publish.config import PublisherConfig
from stir_assets.publish.cutover import names_left_behind
from stir_assets.publish.errors import NothingToRollBack
from stir_assets.publish.manifest import Manifest, RunRow, TargetRow
from stir_assets.publish.modes import rename
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
    schema, table = name.split(".", 1)
    probe = Target(schema, table, (Column("any", "text"),))
    live = preflight.find_live(connection, probe)
    if live is None or known.current is None:
        raise NothingToRollBack(f"{name} does not exist any more; publish it again")
    target = Target(schema, table, tuple(Column(column, kind) for column, kind, _ in live.columns))
    preflight.check_carry(connection, target, live)
    stored: dict[str, Any] = dict(back.names)
    candidate = Candidate(
        target,
        config.private_schema,
        back.version,
        names=dict(stored.get("indexes", {})),
        statistics=[(str(home), str(public), str(own)) for home, public, own in stored.get("statistics", [])],
    )
    build.refresh(connection, candidate, live)
    statements = [
        swap.fence(config.private_schema, name, back.version, known.current, known.seq, known.mode),
        *rename.script(
            schema=schema,
            table=table,
            private=config.private_schema,
            version=back.version,
            names=candidate.names,
            statistics=candidate.statistics,
            live=live,
            old_version=known.current,
            check=rename.guard(connection, live),
        ),
        names_left_behind(config.private_schema, live, known.current),
    ]

    def committed() -> bool:
        with connect(config.dsn, f"stir-publish-outcome:{back.version}") as fresh:
            row = Manifest(fresh, config.private_schema, config.public_schema).target(name)
            return row is not None and row.current == back.version

    swap.run(
        connection, name, statements, config.swap, [live.oid], committed=committed, waiting=lambda *_: None
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
