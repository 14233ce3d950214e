"""Everything that can be known to go wrong before anything is created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from stir_assets.publish import carry, ddl
from stir_assets.publish.clickhouse import ClickHouse
from stir_assets.publish.clickhouse_types import parse_type
from stir_assets.publish.errors import ContractError, ExportFailed, PreflightError
from stir_assets.publish.forms import BinaryForm, Form, TextForm
from stir_assets.publish.live import Live
from stir_assets.publish.manifest import RunRow, TargetRow
from stir_assets.publish.modes import merge
from stir_assets.publish.modes.script import keeps_view
from stir_assets.publish.postgres import Connection, translate, translated
from stir_assets.publish.scope import Scope
from stir_assets.publish.snapshot import relation_sql
from stir_assets.publish.target import Column, TableSource, Target
from stir_assets.publish.types import export_expression
from stir_assets.publish.wire import Wire, wire

MIN_SERVER = 140000


@dataclass
class Plan:
    """What preflight found out: the export expressions, the types on both sides, and the live relation."""

    target: Target
    expressions: list[str]
    form: Form
    clickhouse_types: dict[str, str]
    pg_types: dict[str, str]
    live: Live | None
    warnings: list[str] = field(default_factory=list)
    scope: Scope = field(default_factory=lambda: Scope("swap", ""))
    reconciled_at: datetime | None = None
    """When all rows were last compared, of the version that is live."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Names and types of the published columns, as PostgreSQL prints them."""
        return tuple(self.pg_types.items())


def plan_export(
    clickhouse: ClickHouse, target: Target, source: str | TableSource, database: str | None, *, binary: bool
) -> tuple[list[str], Form, dict[str, str]]:
    """Describe the relation and choose how each column crosses; in binary only if every column can and it is wanted.

    Returns the expressions of the text, the form and the ClickHouse types. Raises ContractError naming every misfit.
    """
    described = _describe(clickhouse, target, source, database)
    expressions, wires, problems = list[str](), list[Wire | None](), list[str]()
    for column, kind in zip(target.exported, described, strict=True):
        try:
            expressions.append(export_expression(column, parse_type(kind)))
            wires.append(wire(column, parse_type(kind)) if binary else None)
        except ContractError as error:
            problems.append(str(error))
    if problems:
        raise ContractError(f"{target.name}: " + "; ".join(problems))
    exact = [way for way in wires if way is not None]
    form = BinaryForm(exact) if len(exact) == len(wires) else TextForm(expressions)
    return (
        expressions,
        form,
        {column.name: kind for column, kind in zip(target.exported, described, strict=True)},
    )


def _describe(
    clickhouse: ClickHouse, target: Target, source: str | TableSource, database: str | None
) -> list[str]:
    relation = relation_sql(source, database)
    selected = ", ".join(f"{column.expression} AS __stir_{n}" for n, column in enumerate(target.exported))
    try:
        rows = clickhouse.rows(
            f"DESCRIBE TABLE (SELECT {selected} FROM {relation})",
            f"{target.name}: describing the relation",
            {"prefer_column_name_to_alias": 1},
        )
    except ExportFailed as error:
        raise ContractError(_misfit(clickhouse, target, relation, error)) from error
    return [str(row[1]) for row in rows]


def _misfit(clickhouse: ClickHouse, target: Target, relation: str, error: Exception) -> str:
    """Name the columns the relation does not deliver instead of ClickHouse's single complaint."""
    try:
        names = {
            str(row[0]) for row in clickhouse.rows(f"DESCRIBE TABLE {relation}", "describing the relation")
        }
    except Exception:
        return f"{target.name}: the relation is not a valid SELECT: {error}"
    missing = [
        column.name for column in target.exported if column.source is None and column.name not in names
    ]
    if missing:
        return f"{target.name}: the relation does not deliver {', '.join(missing)}; it has {', '.join(sorted(names))}"
    return f"{target.name}: a column's source does not fit the relation: {error}"


def declared_types(connection: Connection, target: Target) -> dict[str, str]:
    """The declared types as PostgreSQL prints them; it judges the declaration by making a table and undoing it."""
    name = ddl.versioned("preflight", ddl.version_name(target, "preflight", 0))
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(ddl.create_table(target, "", name, kind="temporary"))
            return dict(
                connection.execute(
                    "select attname, pg_catalog.format_type(atttypid, atttypmod) from pg_catalog.pg_attribute "
                    "where attrelid = ('pg_temp.' || quote_ident(%s))::regclass and attnum > 0 order by attnum",
                    (name,),
                ).fetchall()
            )
    except psycopg.Error as error:
        if (error.diag.sqlstate or "")[:2] in ("42", "22", "0A"):
            raise ContractError(
                f"{target.name}: the declaration is not valid in PostgreSQL: {error}"
            ) from error
        raise translate(error, f"{target.name}: preflight") from error


def check_server(connection: Connection, target: Target, private: str) -> None:
    """Version, primary, schema and privileges."""
    with translated(f"{target.name}: preflight"):
        if connection.info.server_version < MIN_SERVER:
            raise PreflightError(
                target.name, f"PostgreSQL {connection.info.server_version // 10000} is older than 14"
            )
        row = connection.execute(
            "select pg_catalog.pg_is_in_recovery(), "
            "(select oid from pg_catalog.pg_namespace where nspname = %s), "
            "current_user, pg_catalog.current_setting('transaction_read_only')",
            (target.schema,),
        ).fetchone()
        assert row is not None  # noqa: S101 - a select without FROM has one row
        if row[0] or row[3] == "on":
            raise PreflightError(target.name, "the server is a read-only replica; publish to the primary")
        if row[1] is None:
            raise PreflightError(target.name, f"schema {target.schema!r} does not exist; create it")
        for schema in (target.schema, private):
            if not _one(connection, "select pg_catalog.has_schema_privilege(%s, 'CREATE')", schema):
                raise PreflightError(
                    target.name,
                    f"role {row[2]} may not create tables in schema {schema!r}; GRANT CREATE ON SCHEMA",
                )
        if target.owner is not None:
            _check_owner(connection, target)


def _check_owner(connection: Connection, target: Target) -> None:
    known = _one(
        connection, "select exists (select 1 from pg_catalog.pg_roles where rolname = %s)", target.owner
    )
    if not known or not _one(connection, "select pg_catalog.pg_has_role(%s, 'MEMBER')", target.owner):
        raise PreflightError(
            target.name, f"owner {target.owner!r} does not exist or the publishing role is not a member of it"
        )


def check_managed(target: Target, live: Live, known: TargetRow) -> None:
    """A table Stir did not make is only replaced when asked for, and a change of mode is too."""
    if known.current is None:
        if live.kind != "r":
            raise PreflightError(
                target.name,
                "something of that name exists which is no plain table; only a plain table can be adopted. "
                "Rename it or drop it",
            )
        if not target.adopt:
            raise PreflightError(
                target.name,
                "a table of that name exists which was not published by Stir; declare adopt=True to replace it",
            )
        return
    if (live.kind == "v") != (known.mode == "pointer"):
        raise PreflightError(
            target.name,
            f"it was published with mode {known.mode!r}, but what has its name now is of relkind {live.kind!r}: "
            "somebody replaced it. Rename that and publish again",
        )
    if known.mode != target.mode and not target.allow_mode_change:
        raise PreflightError(
            target.name,
            f"it is published with mode {known.mode!r}, the declaration says {target.mode!r}; "
            "declare allow_mode_change=True for the one publication that migrates it",
        )


def check_carry(
    connection: Connection,
    target: Target,
    live: Live,
    columns: tuple[tuple[str, str], ...],
    current: RunRow | None,
) -> None:
    """Refuse dependents a swap cannot carry. The only one who loses is the publication, not the dependents.

    `columns` are those of the version to come, `current` the publication that is live.
    """
    in_place = keeps_view(target, live, columns)
    objects = [*live.strays]
    for oid in {live.rows_oid} if in_place else {oid for oid, _ in live.marks}:
        objects += carry.blocking_objects(connection, oid)
    if target.mode == "pointer":
        objects += [f"publication {item['name']} of the table" for item in live.captured["publications"]]
    if live.view is not None and not in_place:
        objects += [f"trigger {item['name']} on the view" for item in live.view["triggers"]]
        objects += [f"rule {item['name']} on the view" for item in live.view["rules"]]
    if objects:
        raise PreflightError(
            target.name,
            "objects depend on the identity of the table and would be left behind by a swap; drop them, or publish "
            "with mode 'diff'",
            objects,
        )
    _check_gone_columns(connection, target, live, columns, current)
    foreign = [] if in_place else carry.foreign_owned(live.captured)
    if foreign:
        raise PreflightError(
            target.name, "dependent objects belong to roles the publishing role is no member of", foreign
        )
    if not _one(connection, "select pg_catalog.pg_has_role(%s, 'USAGE')", live.captured["table"]["owner"]):
        raise PreflightError(
            target.name,
            f"the table belongs to {live.captured['table']['owner']}; grant that role to the publishing one",
        )


def _check_gone_columns(
    connection: Connection,
    target: Target,
    live: Live,
    columns: tuple[tuple[str, str], ...],
    current: RunRow | None,
) -> None:
    """Refuse to drop a column that something uses which is not declared, and so not ours to drop."""
    gone = [name for name, *_ in live.columns if name not in dict(columns)]
    if not gone:
        return
    names = current.names if current else {}
    ours = {*(built.name for built in ddl.indexes(target)), *names.get("declared", ())}
    ours |= {own for public, own in names.get("indexes", {}).items() if public in ours}
    objects = carry.column_users(connection, live.rows_oid, gone, list(ours), own_only=live.is_pointer)
    if live.is_pointer:
        objects += carry.column_users(connection, live.oid, gone, [], own_only=False)
    if objects:
        raise PreflightError(
            target.name,
            f"column {', '.join(gone)} would go, and with it what uses it and is not declared; drop these objects "
            "yourself, or keep the column",
            objects,
        )


def check_merge(connection: Connection, target: Target, live: Live) -> None:
    """What forbids merging into the live table. Its identity stays, so far less does than forbids a swap."""
    if connection.info.server_version < merge.MIN_SERVER:
        raise PreflightError(
            target.name,
            f"mode {target.mode!r} needs PostgreSQL 15 or newer; publish with mode 'rename'",
        )
    objects = [f"rule {rule['name']} on the table" for rule in live.captured["rules"]]
    objects += [
        f"publication {name} of all tables with logical slot {slot}, which would replicate the helper tables"
        for name, slot in connection.execute(
            "select p.pubname, s.slot_name from pg_catalog.pg_publication p, pg_catalog.pg_replication_slots s "
            "where p.puballtables and s.slot_type = 'logical' and s.database = pg_catalog.current_database()"
        ).fetchall()
    ]
    if objects:
        raise PreflightError(target.name, f"mode {target.mode!r} is not possible here", objects)
    if not _one(connection, "select pg_catalog.pg_has_role(%s, 'USAGE')", live.captured["table"]["owner"]):
        raise PreflightError(
            target.name,
            f"the table belongs to {live.captured['table']['owner']}; grant that role to the publishing one",
        )


def check_contract(target: Target, live: Live, pg_types: Mapping[str, str]) -> list[str]:
    """Compare the declared columns with the live ones; differences refuse unless allowed, then they warn."""
    differences = _differences(ddl.contract(target, pg_types), live.columns)
    if differences and not target.allow_schema_change:
        raise ContractError(
            f"{target.name}: the columns differ from the live table's: {'; '.join(differences)}. Sessions with a "
            "prepared SELECT * would fail after the swap; declare allow_schema_change=True for this one publication"
        )
    return [f"schema change: {difference}" for difference in differences]


def _differences(declared: list[list[Any]], live: list[list[Any]]) -> list[str]:
    now, then = {c[0]: c for c in declared}, {c[0]: c for c in live}
    found = [f"{name} is new" for name in now if name not in then]
    found += [f"{name} is gone" for name in then if name not in now]
    for name in now.keys() & then.keys():
        if now[name][1] != then[name][1]:
            found.append(f"{name} changes from {then[name][1]} to {now[name][1]}")
        if now[name][2] != then[name][2]:
            found.append(f"{name} {'allows' if now[name][2] else 'no longer allows'} NULL")
    common = [name for name in then if name in now]
    if common != [name for name in now if name in then]:
        found.append("the order of the columns changes")
    return sorted(found)


def check_requirements(connection: Connection, target: Target) -> None:
    """Every product table an enrichment reads must be there, with its columns and readable."""
    problems: list[str] = []
    for enrichment in target.enrichments:
        for table, columns in enrichment.requires.items():
            problems += [
                f"{problem} (needed by {enrichment.name})" for problem in _missing(connection, table, columns)
            ]
    if problems:
        raise PreflightError(target.name, "product tables are missing or changed", problems)


def _missing(connection: Connection, table: str, columns: tuple[str, ...] | Mapping[str, str]) -> list[str]:
    schema, _, name = table.rpartition(".")
    rows = connection.execute(
        "select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), "
        "pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') "
        "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where n.nspname = %s and c.relname = %s",
        (schema or "public", name),
    ).fetchall()
    if not rows:
        return [f"table {table} does not exist"]
    found = {row[0]: row for row in rows}
    wanted = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    problems = [f"column {table}.{column} does not exist" for column in wanted if column not in found]
    for column, kind in wanted.items():
        if column in found and kind is not None and found[column][1] != kind:
            problems.append(f"column {table}.{column} is {found[column][1]}, not {kind}")
        if column in found and not found[column][2]:
            problems.append(f"column {table}.{column} may not be read by the publishing role")
    return problems


def not_null_columns(target: Target) -> list[Column]:
    """Columns that hold no NULL in the finished table."""
    return [column for column in target.columns if not column.nullable or column.name in target.primary_key]


def _one(connection: Connection, query: str, *args: Any) -> Any:
    row = connection.execute(sql.SQL(query), args).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None
