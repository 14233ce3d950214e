"""Modes `diff` and `upsert`: the rows that differ are merged into the live table, in one transaction, without a lock
that readers feel. A replica receives these rows and no others.

Everything is a delta: a table of rows with what is to be done with each ('I' insert, 'U' update, 'D' delete by key).
Applying one writes the delta that takes it back. That undo is all that is kept of the previous version, and a rollback
applies it, which writes the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from stir_assets.publish import ddl, swap
from stir_assets.publish.postgres import qualified
from stir_assets.publish.target import Target

ACTION = "stir:action"
DELETED = "stir:deleted"
MIN_SERVER = 150000  # MERGE

STAGING, DELTA, UNDO = "s", "d", "u"


def companion(version: str, kind: str) -> str:
    """The name of a helper table of a version; `kind` is STAGING, DELTA or UNDO."""
    head, _, tail = version.rpartition("__v")
    return f"{head}__{kind}{tail}"


def companions(version: str) -> list[str]:
    """Every helper table a version may have had."""
    return [companion(version, kind) for kind in (STAGING, DELTA, UNDO)]


@dataclass(frozen=True)
class Merge:
    """Merging into `place`, whose rows are identified by `key`. `columns` are all of them, in table order."""

    place: sql.Identifier
    private: str
    columns: Sequence[str]
    key: Sequence[str]

    def make_delta(self, staging: str, delta: str, *, whole: bool, tombstones: bool = False) -> sql.Composed:
        """Compare the staged rows with the live ones. With `whole`, live rows that are not staged are deleted.

        Rows are compared by their stored image, as REFRESH MATERIALIZED VIEW CONCURRENTLY does: it works for
        every type, also json, which has no equality.
        """
        t, s = sql.Identifier("t", self.key[0]), sql.Identifier("s", self.key[0])
        differ = sql.SQL("row({})::record operator(pg_catalog.*<>) row({})::record").format(
            self._columns("t"), self._columns("s")
        )
        if whole:
            join = sql.SQL("full join")
            action = sql.SQL("case when {} is null then 'I' when {} is null then 'D' else 'U' end").format(
                t, s
            )
            wanted = sql.SQL("{} is null or {} is null or {}").format(t, s, differ)
        else:
            gone = sql.Identifier("s", DELETED) if tombstones else sql.SQL("false")
            join = sql.SQL("left join")
            action = sql.SQL("case when {} then 'D' when {} is null then 'I' else 'U' end").format(gone, t)
            wanted = sql.SQL("case when {} then {} is not null else {} is null or {} end").format(
                gone, t, t, differ
            )
        values = sql.SQL(", ").join(
            sql.SQL("coalesce({}, {}) as {}").format(
                sql.Identifier("s", name), sql.Identifier("t", name), sql.Identifier(name)
            )
            if name in self.key
            else sql.Identifier("s", name)
            for name in self.columns
        )
        return sql.SQL(
            "create unlogged table {} as select {} as {}, {} from {} as s {} {} as t on {} where {}"
        ).format(
            qualified(self.private, delta), action, sql.Identifier(ACTION), values,
            qualified(self.private, staging), join, self.place, self._match("s"), wanted,
        )  # fmt: skip

    def apply(self, delta: str, undo: str, rows: int) -> Iterator[sql.Composed]:
        """Apply a delta of `rows` rows and write its undo. Only other writers wait for the lock."""
        yield sql.SQL("lock table {} in share row exclusive mode").format(self.place)
        yield self._make_undo(delta, undo)
        yield sql.SQL(
            "do $merge$ declare stir_done bigint; begin {}; get diagnostics stir_done = row_count; if stir_done <> {} then "
            "raise exception 'the delta no longer fits' using errcode = {}; end if; end $merge$"
        ).format(self._merge(delta), sql.Literal(rows), sql.Literal(swap.OVERTAKEN))
        yield sql.SQL("drop table {}").format(qualified(self.private, delta))

    def _make_undo(self, delta: str, undo: str) -> sql.Composed:
        first = sql.Identifier("t", self.key[0])
        values = sql.SQL(", ").join(
            sql.SQL("case when {f} is null then {d} else {t} end as {n}").format(
                f=first, d=sql.Identifier("d", name), t=sql.Identifier("t", name), n=sql.Identifier(name)
            )
            for name in self.columns
        )
        return sql.SQL(
            "create unlogged table {undo} as select case d.{a} when 'I' then 'D' when 'D' then 'I' else 'U' end as {a}, "
            "{values} from {delta} as d left join {live} as t on {match}"
        ).format(
            undo=qualified(self.private, undo),
            a=sql.Identifier(ACTION),
            values=values,
            delta=qualified(self.private, delta),
            live=self.place,
            match=self._match("d"),
        )

    def _merge(self, delta: str) -> sql.Composed:
        others = [name for name in self.columns if name not in self.key]
        update = sql.SQL("when matched then update set {} ").format(
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("d", name)) for name in others
            )
        )
        return sql.SQL(
            "merge into {live} as t using {delta} as d on {match} when matched and d.{a} = 'D' then delete {update}"
            "when not matched and d.{a} <> 'D' then insert ({names}) values ({values})"
        ).format(
            live=self.place,
            delta=qualified(self.private, delta),
            match=self._match("d"),
            a=sql.Identifier(ACTION),
            update=update if others else sql.SQL(""),
            names=sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            values=self._columns("d"),
        )

    def _columns(self, alias: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in self.columns)

    def _match(self, alias: str) -> sql.Composed:
        return (
            sql.SQL("(")
            + sql.SQL(" and ").join(
                sql.SQL("{} = {}").format(sql.Identifier("t", name), sql.Identifier(alias, name))
                for name in self.key
            )
            + sql.SQL(")")
        )


def shape(target: Target, columns: Sequence[tuple[str, str]]) -> str:
    """A digest of what makes a table what it is, apart from its rows: a merge leaves all of that alone."""
    return ddl.digest(
        columns,
        [(column.default, column.nullable) for column in target.columns],
        target.primary_key,
        target.unique_key,
        target.indexes,
        sorted(target.check_constraints.items()),
        sorted(target.storage.items()),
    )
