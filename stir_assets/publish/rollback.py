"""Puts the previous version of a table back: the same swap, the same guarantees, nothing loaded.

What hangs off the live table now (grants, policies, views) is carried to the version that comes back, so a
rollback returns the data and takes nothing else away. Of a version that was merged into, only the undo is kept;
applying it is the same kind of merge. Rolling back twice returns to where one was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from stir_assets.publish import candidate as build
from stir_assets.publish import live, lock, merging, preflight, swap
from stir_assets.publish.candidate import Candidate
from stir_assets.publish.config import PublisherConfig
from stir_assets.publish.cutover import names_left_behind
from stir_assets.publish.errors import NothingToRollBack
from stir_assets.publish.live import Live
from stir_assets.publish.manifest import Manifest, RunRow, TargetRow
from stir_assets.publish.modes.merge import ACTION, Merge
from stir_assets.publish.modes.script import Change
from stir_assets.publish.postgres import Connection, connect, qualified, translated
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
                known, back = _previous(manifest, name)
                columns = live.columns_of(connection, config.private_schema, back.version)
                if columns is None:
                    raise NothingToRollBack(
                        f"{name}: its previous version {back.version} was dropped; publish it again"
                    )
                return _Rollback(config, connection, manifest, name, known, back, columns).run()
        finally:
            lock.release(connection, config.private_schema, name)


Statements = list[sql.Composable]


@dataclass(frozen=True)
class _Rollback:
    """One rollback of `name`, under its lock: from `known.current` to `back`, whose kept table has `columns`."""

    config: PublisherConfig
    connection: Connection
    manifest: Manifest
    name: str
    known: TargetRow
    back: RunRow
    columns: list[list[Any]]

    def run(self) -> str:
        was = self._live()
        undo = self.back.undo_rows
        statements = self._swapped(was) if undo is None else self._unmerged(undo)
        config, pid = self.config, self.connection.info.backend_pid
        swap.run(
            self.connection, self.name, statements, self.config.swap, [was.oid],
            committed=lambda: swap.committed(
                config.dsn, config.private_schema, config.public_schema, self.name, self.back.version, pid
            ),
            waiting=lambda *_: None,
        )  # fmt: skip
        return self.back.version

    @property
    def _current(self) -> str:
        assert self.known.current is not None  # noqa: S101 - checked by _previous
        return self.known.current

    def _target(self) -> Target:
        schema, table = self.name.split(".", 1)
        mode = "pointer" if self.known.mode == "pointer" else "rename"
        names = [(column, kind) for column, kind, _ in self.columns if column != ACTION]
        return Target(schema, table, tuple(Column(*pair) for pair in names), mode=mode)

    def _live(self) -> Live:
        was = live.find(self.connection, self.manifest, self._target())
        if was is None:
            raise NothingToRollBack(f"{self.name} does not exist any more; publish it again")
        return was

    def _fence(self) -> sql.Composed:
        known, private = self.known, self.config.private_schema
        return swap.fence(private, self.name, self.back.version, self._current, known.seq, known.mode)

    def _swapped(self, was: Live) -> Statements:
        """The way back from a swap: the table that was kept, with what hangs off the live one now."""
        target, private, stored = self._target(), self.config.private_schema, self.back.names
        columns = tuple((column, kind) for column, kind, _ in self.columns)
        current = self.manifest.run(self._current)
        preflight.check_carry(self.connection, target, was, columns, current)
        candidate = Candidate(
            target,
            private,
            self.back.version,
            names=dict(stored.get("indexes", {})),
            statistics=[
                (str(home), str(public), str(own)) for home, public, own in stored.get("statistics", [])
            ],
        )
        # Somebody may still read the version that comes back; nobody else waits for this lock.
        limit = sql.Literal(f"{round(self.config.swap.budget * 1000)}ms")
        self.connection.execute(sql.SQL("set lock_timeout = {}").format(limit))
        build.refresh(self.connection, candidate, was)
        change = Change(
            target, private, self.back.version, columns, candidate.names, candidate.statistics, was, self._current
        )  # fmt: skip
        return [self._fence(), *change.statements(), names_left_behind(private, was, self._current)]

    def _unmerged(self, undo: int) -> Statements:
        """The way back from a merge: apply the `undo` rows that were kept, and keep the undo of that."""
        private, version = self.config.private_schema, self.back.version
        kept = qualified(private, version)
        row = self.connection.execute(sql.SQL("select count(*) from {}").format(kept)).fetchone()
        if row is None or row[0] != undo:
            raise NothingToRollBack(
                f"{self.name}: what was kept of {version} is not whole ({row and row[0]} of {undo} rows); an "
                "unlogged table does not survive a crash of the server. Publish it again"
            )
        target, key = self._target(), tuple(self.back.names.get("key", ()))
        place = qualified(target.schema, target.table)
        into = Merge(place, private, [column.name for column in target.columns], key)
        whole_again = sql.SQL("update {}.run set undo_rows = null where version = {}").format(
            sql.Identifier(private), sql.Literal(version)
        )
        keep = merging.keep_undo(private, self._current, undo, key)
        return [self._fence(), *into.apply(version, self._current, undo), whole_again, keep]


def _previous(manifest: Manifest, name: str) -> tuple[TargetRow, RunRow]:
    known = manifest.target(name)
    if known is None or known.current is None:
        raise NothingToRollBack(f"{name} was never published; `stir publications` lists what was")
    back = manifest.run(known.previous) if known.previous else None
    if back is None:
        raise NothingToRollBack(f"{name} has no previous version: it was published once, or adopted")
    return known, back
