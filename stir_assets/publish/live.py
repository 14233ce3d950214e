"""The relation that has a target's name now: a table, or in mode `pointer` a view on the current version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from stir_assets.publish import carry, ddl
from stir_assets.publish.errors import PreflightError
from stir_assets.publish.manifest import Manifest, RunRow
from stir_assets.publish.postgres import Connection
from stir_assets.publish.target import Target


@dataclass(frozen=True)
class Live:
    """What readers see.

    `kind` is PostgreSQL's relkind ('r' table, 'v' view). `captured` is what a new version must be given: for a
    pointer the version's own indexes, policies and settings under their public names, with the privileges,
    comments and dependents of the view. `view` is what hangs off the view itself. `marks` are the digests of the
    captured relations, by oid. `columns` are those of the rows: [name, type, nullable].
    """

    oid: int
    kind: str
    columns: list[list[Any]]
    captured: carry.Captured
    marks: tuple[tuple[int, str], ...]
    view: carry.Captured | None = None
    view_columns: tuple[tuple[str, str], ...] = ()
    strays: tuple[str, ...] = ()
    """Objects that read a pointer's version behind the view's back; a swap would leave them on old rows."""

    @property
    def is_pointer(self) -> bool:
        return self.view is not None

    @property
    def rows_oid(self) -> int:
        """The table that holds the rows."""
        return self.marks[-1][0]


def find(connection: Connection, manifest: Manifest, target: Target) -> Live | None:
    """The relation of the target's name with what hangs off it, None when there is none."""
    row = _relation(connection, target.schema, target.table)
    if row is None:
        return None
    oid, kind, columns = row
    captured, mark = carry.capture(connection, oid)
    known = manifest.target(target.name)
    if kind != "v" or known is None or known.mode != "pointer" or known.current is None:
        return Live(oid, kind, columns, captured, ((oid, mark),))
    version = _relation(connection, manifest.schema, known.current)
    if version is None:
        raise PreflightError(
            target.name, f"its live version {manifest.schema}.{known.current} does not exist"
        )
    own, own_mark = carry.capture(connection, version[0])
    return Live(
        oid,
        kind,
        version[2],
        _of_pointer(own, captured, manifest.run(known.current)),
        ((oid, mark), (version[0], own_mark)),
        view=captured,
        view_columns=(view_columns := tuple((name, kind) for name, kind, _ in columns)),
        strays=_strays(own, manifest.schema, ddl.pointer_name(target.name, target.table, view_columns)),
    )


def columns_of(connection: Connection, schema: str, table: str) -> list[list[Any]] | None:
    """[name, type, nullable] of each column of a relation, None when there is none of that name."""
    row = _relation(connection, schema, table)
    return row[2] if row else None


def _relation(connection: Connection, schema: str, table: str) -> tuple[int, str, list[list[Any]]] | None:
    row = connection.execute(
        "select c.oid, c.relkind, (select coalesce(jsonb_agg(jsonb_build_array(a.attname, "
        "pg_catalog.format_type(a.atttypid, a.atttypmod), not a.attnotnull) order by a.attnum), '[]') "
        "from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) "
        "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = %s and c.relname = %s",
        (schema, table),
    ).fetchone()
    return (int(row[0]), row[1], row[2]) if row else None


def _of_pointer(own: carry.Captured, view: carry.Captured, run: RunRow | None) -> carry.Captured:
    """The version's capture as if it had the public names, with what hangs off the view."""
    names: dict[str, Any] = dict(run.names) if run else {}
    public = {private: name for name, private in names.get("indexes", {}).items()}
    statistics = {private: (home, name) for home, name, private in names.get("statistics", [])}
    comments = {column["name"]: column["comment"] for column in view["attributes"]}
    return {
        **own,
        "table": {**own["table"], "comment": view["table"]["comment"], "owner": view["table"]["owner"]},
        "attributes": [{**item, "comment": comments.get(item["name"])} for item in own["attributes"]],
        "acl": view["acl"],
        "views": view["views"],
        "functions": view["functions"],
        "indexes": [{**item, "name": public.get(item["name"], item["name"])} for item in own["indexes"]],
        "statistics": [_public_statistics(item, statistics) for item in own["statistics"]],
    }


def _strays(own: carry.Captured, private: str, function: str) -> tuple[str, ...]:
    views = [f"view {view['schema']}.{view['name']} on the version itself" for view in own["views"]]
    functions = [
        f"function {item['name']} on the version itself"
        for item in own["functions"]
        if item["name"].replace('"', "") != f"{private}.{function}()"
    ]
    return (*views, *functions)


def _public_statistics(item: carry.Captured, names: dict[str, tuple[str, str]]) -> carry.Captured:
    home, name = names.get(item["name"], (item["schema"], item["name"]))
    return {**item, "schema": home, "name": name}


def unchanged(live: Live) -> list[tuple[sql.Composed, str]]:
    """Queries for the digests of the captured relations now, each with the value it had when captured."""
    return [(carry.fingerprint_query(oid), mark) for oid, mark in live.marks]
