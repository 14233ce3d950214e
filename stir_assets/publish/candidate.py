"""Makes a version complete before anybody can see it: rows, indexes, properties, statistics, guards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from stir_assets.publish import ddl, enrich
from stir_assets.publish.carry import Carrier, index_tail
from stir_assets.publish.checksum import Checksum
from stir_assets.publish.errors import IncompleteExport, Refused
from stir_assets.publish.export import Exporter
from stir_assets.publish.live import Live
from stir_assets.publish.load import Loaded, Progress, copy_error, copy_slices
from stir_assets.publish.postgres import Connection, connect, qualified, raw, translate, translated
from stir_assets.publish.target import Target


@dataclass
class Candidate:
    """A version under construction. `names` maps public index names to this version's, `statistics` likewise."""

    target: Target
    schema: str
    version: str
    names: dict[str, str] = field(default_factory=dict)
    statistics: list[tuple[str, str, str]] = field(default_factory=list)
    rows: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def place(self) -> sql.Identifier:
        return qualified(self.schema, self.version)

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.version}"


def load(
    connection: Connection,
    candidate: Candidate,
    exporter: Exporter,
    *,
    dsn: str,
    types: dict[str, str],
    progress: Progress,
    tell: Callable[[str], None],
    checksum: Checksum | None,
) -> Loaded:
    """Fill the version; one transaction creates it and copies into it, so a failure leaves nothing.

    Returns what was copied from staging. Raises `Refused` when the loaded rows do not have the `checksum`.
    """
    target = candidate.target
    exported = [column.name for column in target.exported]
    if not target.enrichments:
        with transaction(connection, f"{target.name}: load"):
            connection.execute("set local idle_in_transaction_session_timeout = 0")
            connection.execute(ddl.create_table(target, candidate.schema, candidate.version))
            loaded = copy_slices(
                connection, exporter, candidate.place, exported,
                target=target.name, types=types, frozen=True, progress=progress,
            )  # fmt: skip
        candidate.rows = loaded.rows
        if checksum is not None:
            checksum.check(connection, candidate.place, candidate.label)
        return loaded
    with connect(dsn, f"stir-publish-enrich:{candidate.version}") as side:
        # PostgreSQL 18 lets a scan of a temporary table read so far ahead that it pins every buffer there is for such
        # tables, where effective_io_concurrency is 64 or more: "no empty local buffer available".
        side.execute("set effective_io_concurrency = 0")
        side.execute("set temp_buffers = '64MB'")
        return _load_enriched(
            connection, side, candidate, exporter, exported, types, progress, tell, checksum
        )


def _load_enriched(
    connection: Connection,
    side: Connection,
    candidate: Candidate,
    exporter: Exporter,
    exported: list[str],
    types: dict[str, str],
    progress: Progress,
    tell: Callable[[str], None],
    checksum: Checksum | None,
) -> Loaded:
    """Load and enrich in a temporary table of a side session (gone with it), then copy across, frozen."""
    target = candidate.target
    temporary = sql.Identifier("pg_temp", "rows")
    with transaction(side, f"{target.name}: load"):
        side.execute("set local idle_in_transaction_session_timeout = 0")
        side.execute(ddl.create_table(target, "", "rows", kind="temporary"))
        loaded = copy_slices(
            side,
            exporter,
            temporary,
            exported,
            target=target.name,
            types=types,
            frozen=False,
            progress=progress,
        )
    names = [column.name for column in target.columns]
    if checksum is not None:
        try:
            checksum.check(side, temporary, candidate.label)
        except Refused:  # the table ends with its session, and these rows are to be looked at
            candidate.rows = loaded.rows
            take_over(side, temporary, connection, candidate, names)
            raise
    candidate.dropped = enrich.enrich(side, target, temporary, loaded.rows, tell)
    candidate.rows = loaded.rows - sum(candidate.dropped.values())
    take_over(side, temporary, connection, candidate, names, lambda: progress(loaded))
    return loaded


def take_over(
    side: Connection,
    place: sql.Composable,
    connection: Connection,
    candidate: Candidate,
    names: list[str],
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Make the version from rows that `side` sees at `place`: `candidate.rows` of them, frozen."""
    target = candidate.target
    with transaction(connection, f"{target.name}: load"):
        connection.execute(ddl.create_table(target, candidate.schema, candidate.version))
        try:
            rows = enrich.transfer(side, place, connection, candidate.place, names, tick)
        except psycopg.Error as error:
            raise copy_error(error, target.name, {}) from error
        if rows != candidate.rows:
            raise IncompleteExport(
                f"{target.name}: {candidate.rows} staged rows became {rows}; publish again"
            )


@contextlib.contextmanager
def transaction(connection: Connection, what: str) -> Iterator[None]:
    """A transaction whose errors, at COMMIT too, come out as ours."""
    with translated(what), connection.transaction():
        yield


def index(
    connection: Connection,
    candidate: Candidate,
    carrier: Carrier | None,
    known: list[str],
    *,
    declared_too: bool = True,
) -> None:
    """Build declared and carried indexes and constraints; a duplicate key refuses here.

    `known` are names that are not carried: they were declared by the previous version, or are built already.
    """
    target, built_tails = candidate.target, []
    declared = [built.name for built in ddl.indexes(target)]
    for built in ddl.indexes(target) if declared_too else ():
        name = ddl.versioned(built.name, candidate.version)
        _build(
            connection,
            candidate,
            built.name,
            ddl.create_index(built, name, candidate.schema, candidate.version),
        )
        if built.constraint:
            connection.execute(ddl.add_constraint(built, name, candidate.schema, candidate.version))
        candidate.names[built.name] = name
        built_tails.append(_tail(connection, candidate, name))
    if carrier is None:
        return
    for public, name, statements in carrier.indexes([*declared, *known], built_tails):
        for statement in statements:
            _build(connection, candidate, public, statement)
        candidate.names[public] = name
    done = {(schema, public) for schema, public, _ in candidate.statistics}
    for schema, public, name, statements in carrier.statistics():
        if (schema, public) in done:
            continue
        for statement in statements:
            connection.execute(statement)
        candidate.statistics.append((schema, public, name))


def _build(connection: Connection, candidate: Candidate, name: str, statement: sql.Composed) -> None:
    try:
        connection.execute(statement)
    except psycopg.errors.UniqueViolation as error:
        raise Refused(
            candidate.target.name,
            f"unique key {name}",
            f"{error.diag.message_primary}; {error.diag.message_detail}",
            details={"index": name, "detail": error.diag.message_detail},
            candidate=candidate.label,
        ) from error
    except psycopg.Error as error:
        raise translate(error, f"{candidate.target.name}: index {name}") from error


def _tail(connection: Connection, candidate: Candidate, name: str) -> str:
    row = connection.execute(
        "select pg_catalog.pg_get_indexdef(format('%%I.%%I', %s::text, %s::text)::regclass)",
        (candidate.schema, name),
    ).fetchone()
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return index_tail(row[0])


def finish(connection: Connection, candidate: Candidate, carrier: Carrier | None) -> None:
    """Comments, column settings, storage options and carried CHECKs, then ANALYZE: never after the swap."""
    target = candidate.target
    described = {column.name for column in target.columns if column.description}
    if target.comment:
        described.add("")
    for statement in ddl.comments(target, candidate.schema, candidate.version):
        connection.execute(statement)
    if carrier is not None:
        for statement in carrier.before_analyze(frozenset(described), _checks(connection, candidate)):
            connection.execute(statement)
        for statement in carrier.index_properties(candidate.names):
            connection.execute(statement)
    connection.execute(sql.SQL("analyze {}").format(candidate.place))


def _checks(connection: Connection, candidate: Candidate) -> frozenset[str]:
    """The CHECKs the version has: those declared and, of one that comes back or is refreshed, those carried before."""
    rows = connection.execute(
        "select conname from pg_catalog.pg_constraint where contype = 'c' "
        "and conrelid = format('%%I.%%I', %s::text, %s::text)::regclass",
        (candidate.schema, candidate.version),
    ).fetchall()
    return frozenset(row[0] for row in rows)


def carrier(candidate: Candidate, live: Live | None) -> Carrier | None:
    """The carrier from the live relation to the candidate, None for a first publication."""
    if live is None:
        return None
    names = [column.name for column in candidate.target.columns]
    made = Carrier(live.captured, candidate.schema, candidate.version, names)
    return made


def refresh(connection: Connection, candidate: Candidate, live: Live | None) -> None:
    """Carry again, after something that hangs off the live table was changed during the publication."""
    strip(connection, candidate.schema, candidate.version)
    made = carrier(candidate, live)
    index(connection, candidate, made, list(candidate.names), declared_too=False)
    finish(connection, candidate, made)
    secure(connection, candidate, made)


def strip(connection: Connection, schema: str, table: str) -> None:
    """Take policies, triggers and rules off a table that is not live."""
    place = qualified(schema, table)
    found = connection.execute(
        "select 'policy', polname from pg_catalog.pg_policy where polrelid = %(table)s::regclass union all "
        "select 'trigger', tgname from pg_catalog.pg_trigger where tgrelid = %(table)s::regclass and not tgisinternal "
        "union all select 'rule', rulename from pg_catalog.pg_rewrite where ev_class = %(table)s::regclass "
        "and rulename <> '_RETURN'",
        {"table": place.as_string(connection)},
    ).fetchall()
    for kind, name in found:
        connection.execute(sql.SQL("drop {} {} on {}").format(raw(kind), sql.Identifier(name), place))
    connection.execute(sql.SQL("alter table {} disable row level security").format(place))
    connection.execute(sql.SQL("alter table {} no force row level security").format(place))


def secure(connection: Connection, candidate: Candidate, carrier: Carrier | None) -> None:
    """Owner, privileges, policies, triggers: last, because from here on the publisher may see less itself.

    First everything default privileges handed out is taken back, so that nobody can read more than before.
    """
    target, place = candidate.target, candidate.place
    for role in _grantees(connection, candidate):
        who = sql.Identifier(role) if role else sql.SQL("public")
        connection.execute(sql.SQL("revoke all on {} from {}").format(place, who))
    if carrier is not None:
        # A version under a pointer is read through the view's function with the reader's own rights.
        reading = target.mode == "pointer"
        for statement in (*carrier.grants(only_reading=reading), *carrier.after_guards()):
            connection.execute(statement)
    else:
        for statement in ddl.grants(target, place):
            connection.execute(statement)
    owner = target.owner or (carrier.captured["table"]["owner"] if carrier else None)
    if owner is not None:
        _give(connection, candidate, owner)


def _give(connection: Connection, candidate: Candidate, owner: str) -> None:
    row = connection.execute(
        "select current_user = %s, pg_catalog.has_schema_privilege(%s, %s, 'CREATE')",
        (owner, owner, candidate.schema),
    ).fetchone()
    if row and row[0]:
        return
    if row and not row[1]:
        connection.execute(
            sql.SQL("grant create, usage on schema {} to {}").format(
                sql.Identifier(candidate.schema), sql.Identifier(owner)
            )
        )
    connection.execute(sql.SQL("alter table {} owner to {}").format(candidate.place, sql.Identifier(owner)))
    for _, _, name in candidate.statistics:
        connection.execute(
            sql.SQL("alter statistics {} owner to {}").format(
                qualified(candidate.schema, name), sql.Identifier(owner)
            )
        )


def _grantees(connection: Connection, candidate: Candidate) -> list[str | None]:
    rows = connection.execute(
        "select distinct case e.grantee when 0 then null else pg_catalog.pg_get_userbyid(e.grantee) end "
        "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace, "
        "pg_catalog.aclexplode(c.relacl) e where n.nspname = %s and c.relname = %s and e.grantee <> c.relowner",
        (candidate.schema, candidate.version),
    ).fetchall()
    return [row[0] for row in rows]
