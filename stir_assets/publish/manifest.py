"""What has been published: one row per target (the fence) and one per run, in the private schema.

The view `stir.publication` is the part applications read: table, version, rows, published_at, data_time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from stir_assets.publish.postgres import Connection, translated

UNFINISHED = ("locked", "exporting", "loading", "indexing", "analyzed", "ready")


@dataclass(frozen=True)
class TargetRow:
    """The fence: which version is live, which one before it, and how often it has changed."""

    name: str
    mode: str
    current: str | None
    previous: str | None
    seq: int


@dataclass(frozen=True)
class RunRow:
    """One attempt to publish.

    `names` are those of its indexes and statistics. `undo_rows` is None while the version is a whole table, else
    the rows of the undo it was reduced to by a merge. `watermark` (microseconds, or the number itself) and
    `reconciled_at` say how far mode 'upsert' has come; `shape` is a digest of the declaration.
    """

    version: str
    run_id: str
    attempt: int
    state: str
    rows: int | None
    names: dict[str, Any]
    data_time: datetime | None
    undo_rows: int | None
    watermark: int | None
    reconciled_at: datetime | None
    shape: str | None


class Manifest:
    """Reads and writes the manifest over a given session."""

    def __init__(self, connection: Connection, schema: str, public_schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self.public_schema = public_schema

    def bootstrap(self) -> None:
        """Create the schemas, tables and view when they are missing. Safe against a second process doing the same."""
        with translated(f"creating the manifest in schema {self.schema}"):
            if self._complete():
                return
            with self.connection.transaction():
                self.connection.execute("select pg_catalog.pg_advisory_xact_lock(7303014091276251)")
                if not self._complete():
                    self.connection.execute(_bootstrap_sql(self.schema, self.public_schema))

    def _complete(self) -> bool:
        found = self.connection.execute(
            "select exists (select from pg_catalog.pg_attribute where attname = 'shape' "
            "and attrelid = to_regclass(format('%%I.run', %s::text))) "
            "and to_regclass(format('%%I.publication', %s::text)) is not null",
            (self.schema, self.public_schema),
        ).fetchone()
        return bool(found and found[0])

    def identity(self) -> str:
        """Eight characters that tell this manifest's staged objects from those of any other database."""
        row = self._one("select id from {}.identity")
        assert row is not None  # noqa: S101 - written by bootstrap
        return str(row[0])

    def target(self, name: str) -> TargetRow | None:
        """The fence row of a target, None before its first publication."""
        row = self._one("select name, mode, current, previous, seq from {}.target where name = %s", name)
        return TargetRow(*row) if row else None

    def ensure_target(self, name: str, mode: str) -> TargetRow:
        """The fence row, made when missing."""
        self._run("insert into {}.target (name, mode) values (%s, %s) on conflict do nothing", name, mode)
        found = self.target(name)
        assert found is not None  # noqa: S101 - inserted above, and targets are never deleted
        return found

    def start(
        self, *, version: str, target: str, run_id: str, attempt: int, mode: str, previous: str | None
    ) -> None:
        """Register a run before anything exists in its name, so that the janitor can find all of it."""
        self._run(
            "insert into {}.run (version, target, run_id, attempt, mode, state, pid, previous) "
            "values (%s, %s, %s, %s, %s, 'locked', pg_catalog.pg_backend_pid(), %s)",
            version, target, run_id, attempt, mode, previous,
        )  # fmt: skip

    def update(self, version: str, **values: Any) -> None:
        """Set columns of a run; also a heartbeat."""
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values)
        comma = sql.SQL(", ") if values else sql.SQL("")
        statement = sql.SQL("update {}.run set {}{}heartbeat = clock_timestamp() where version = %s").format(
            sql.Identifier(self.schema), assignments, comma
        )
        shown = [json.dumps(value) if isinstance(value, (dict, list)) else value for value in values.values()]
        with translated("writing the manifest"):
            self.connection.execute(statement, (*shown, version))

    def run(self, version: str) -> RunRow | None:
        """One run by its version name."""
        row = self._one(_RUN + "where version = %s", version)
        return _run_row(row) if row else None

    def runs(self, target: str) -> list[RunRow]:
        """Every run of a target whose table may still exist, oldest first."""
        statement = sql.SQL(_RUN + "where target = %s and not dropped order by started").format(
            sql.Identifier(self.schema)
        )
        with translated("reading the manifest"):
            return [_run_row(row) for row in self.connection.execute(statement, (target,)).fetchall()]

    def _one(self, text: str, *args: Any) -> tuple | None:
        with translated("reading the manifest"):
            return self.connection.execute(sql.SQL(text).format(sql.Identifier(self.schema)), args).fetchone()  # type: ignore[arg-type]

    def _run(self, text: str, *args: Any) -> None:
        with translated("writing the manifest"):
            self.connection.execute(sql.SQL(text).format(sql.Identifier(self.schema)), args)  # type: ignore[arg-type]


_RUN = (
    "select version, run_id, attempt, state, rows, names, data_time, undo_rows, watermark, reconciled_at, shape "
    "from {}.run "
)


def _run_row(row: tuple) -> RunRow:
    version, run_id, attempt, state, rows, names, *rest = row
    return RunRow(version, run_id, attempt, state, rows, dict(names or {}), *rest)


def _bootstrap_sql(private: str, public: str) -> sql.Composed:
    return sql.SQL(
        """
        create schema if not exists {private};
        create schema if not exists {public};
        create table if not exists {private}.identity (id text not null);
        insert into {private}.identity select left(replace(gen_random_uuid()::text, '-', ''), 8)
            where not exists (select 1 from {private}.identity);
        create table if not exists {private}.target (
            name text primary key,
            mode text not null,
            current text,
            previous text,
            seq bigint not null default 0
        );
        create table if not exists {private}.run (
            version text primary key,
            target text not null references {private}.target (name),
            run_id text not null,
            attempt int not null,
            mode text not null,
            state text not null,
            pid int,
            started timestamptz not null default clock_timestamp(),
            heartbeat timestamptz not null default clock_timestamp(),
            published_at timestamptz,
            data_time timestamptz,
            rows bigint,
            exported_rows bigint,
            bytes bigint,
            seconds jsonb,
            names jsonb not null default '{{}}',
            previous text,
            seq bigint,
            undo_rows bigint,
            watermark bigint,
            reconciled_at timestamptz,
            shape text,
            dropped boolean not null default false,
            error text,
            unique (target, run_id, attempt)
        );
        alter table {private}.run add column if not exists undo_rows bigint,
            add column if not exists watermark bigint, add column if not exists reconciled_at timestamptz,
            add column if not exists shape text;
        create index if not exists run_target_idx on {private}.run (target, started);
        create or replace view {public}.publication as
            select t.name as "table", t.current as version, t.seq as publication, r.rows, r.published_at,
                   r.data_time, r.run_id, t.previous, p.rows as previous_rows, t.mode
            from {private}.target t
            join {private}.run r on r.version = t.current
            left join {private}.run p on p.version = t.previous;
        comment on view {public}.publication is
            'The live version of every serving table; data_time is the newest source event contained in it.';
        grant usage on schema {public} to public;
        grant select on {public}.publication to public;
        """
    ).format(private=sql.Identifier(private), public=sql.Identifier(public))
