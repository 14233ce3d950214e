"""One publication by merging: stage, compare, and apply what differs under the fence; a swap when too much does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from stir_assets.publish import candidate as build
from stir_assets.publish import cutover, ddl, enrich, guards, preflight, swap
from stir_assets.publish.checksum import Checksum
from stir_assets.publish.errors import PostgresRefused, PreflightError, Refused
from stir_assets.publish.export import Exporter
from stir_assets.publish.load import Loaded, Progress, copy_slices
from stir_assets.publish.manifest import RunRow, TargetRow
from stir_assets.publish.modes import merge
from stir_assets.publish.modes.merge import Merge, companion
from stir_assets.publish.postgres import connect, qualified
from stir_assets.publish.preflight import Plan
from stir_assets.publish.scope import Scope

if TYPE_CHECKING:
    from stir_assets.publish.pipeline import Pipeline


@dataclass
class Merged:
    """What a merge did: rows by action, and how the transaction went."""

    changed: dict[str, int]
    result: swap.SwapResult


def stage(
    work: Pipeline,
    plan: Plan,
    exporter: Exporter,
    scope: Scope,
    progress: Progress,
    checksum: Checksum | None,
) -> Loaded:
    """Load the export into an unlogged table of the private schema, keyed and enriched."""
    target, connection, private = work.target, work.connection, work.config.private_schema
    name = companion(work.version, merge.STAGING)
    place = qualified(private, name)
    columns = [column.name for column in target.exported]
    with build.transaction(connection, f"{target.name}: load"):
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        connection.execute(ddl.create_table(target, private, name, kind="unlogged"))
        if scope.way == "delta" and target.tombstone:
            connection.execute(
                sql.SQL("alter table {} add column {} boolean").format(place, sql.Identifier(merge.DELETED))
            )
            columns.append(merge.DELETED)
        loaded = copy_slices(
            connection, exporter, place, columns,
            target=target.name, types=plan.clickhouse_types, frozen=False, progress=progress,
        )  # fmt: skip
    if checksum is not None:
        checksum.check(connection, place, f"{private}.{name}")
    work.candidate.dropped = enrich.enrich(connection, target, place, loaded.rows, work.tell)
    work.candidate.rows = loaded.rows - sum(work.candidate.dropped.values())
    # Not before: every row that is enriched would have to be entered again.
    _make_key(work, place, private, name)
    return loaded


def _make_key(work: Pipeline, place: sql.Identifier, private: str, name: str) -> None:
    key = sql.SQL(", ").join(map(sql.Identifier, work.target.key))
    try:
        work.connection.execute(sql.SQL("alter table {} add primary key ({})").format(place, key))
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
        raise Refused(
            work.target.name,
            f"unique key {', '.join(work.target.key)}",
            f"{error.diag.message_primary}; {error.diag.message_detail or 'a key column is NULL'}",
            candidate=f"{private}.{name}",
        ) from error


def merge_in(work: Pipeline, plan: Plan, known: TargetRow, scope: Scope, previous_rows: int) -> Merged | None:
    """Compare and apply. None when more than `max_changed` differs or rows would clash on the way: swap then, for
    the reason that is the last warning."""
    target, private = work.target, work.config.private_schema
    label = f"{private}.{companion(work.version, merge.STAGING)}"
    whole = scope.way == "merge"
    if whole:
        with work.phase("guards", "checking the candidate"):
            if target.enrichments:
                work.warnings += guards.check_size(target, work.candidate.rows, previous_rows, label)
            staging = companion(work.version, merge.STAGING)
            guards.check_sql(work.connection, target, private, staging, label)
    into = Merge(
        qualified(target.schema, target.table), private, [c.name for c in target.columns], target.key
    )
    with work.phase("compare", "comparing with the live rows"):
        changed = _compare(work, into, whole=whole)
    total = sum(changed.values())
    if target.max_changed < 1 and total > target.max_changed * previous_rows:
        work.warnings.append(
            f"swapped, not merged: {total} of {previous_rows} rows differ, more than {target.max_changed:.0%}"
        )
        return None
    if not whole:
        work.candidate.rows = previous_rows + changed["inserted"] - changed["deleted"]
        work.warnings += guards.check_size(target, work.candidate.rows, previous_rows, label)
    return _apply(work, plan, known, into, changed, whole=whole)


def _compare(work: Pipeline, into: Merge, *, whole: bool) -> dict[str, int]:
    connection, private = work.connection, work.config.private_schema
    staging, delta = companion(work.version, merge.STAGING), companion(work.version, merge.DELTA)
    connection.execute(sql.SQL("analyze {}").format(qualified(private, staging)))
    tombstones = work.target.tombstone is not None
    connection.execute(into.make_delta(staging, delta, whole=whole, tombstones=tombstones))
    place = qualified(private, delta)
    connection.execute(sql.SQL("analyze {}").format(place))
    counted = connection.execute(
        sql.SQL("select {}, count(*) from {} group by 1").format(sql.Identifier(merge.ACTION), place)
    ).fetchall()
    found = dict(counted)
    return {
        "inserted": int(found.get("I", 0)),
        "updated": int(found.get("U", 0)),
        "deleted": int(found.get("D", 0)),
    }


def _apply(
    work: Pipeline, plan: Plan, known: TargetRow, into: Merge, changed: dict[str, int], *, whole: bool
) -> Merged | None:
    assert plan.live is not None  # noqa: S101 - without a live table nothing is merged
    assert known.current is not None  # noqa: S101 - nor without a version
    target, config, live = work.target, work.config, plan.live
    delta, undo = companion(work.version, merge.DELTA), companion(work.version, merge.UNDO)
    statements: list[sql.Composable] = [
        swap.fence(config.private_schema, target.name, work.version, known.current, known.seq, target.mode),
        *into.apply(delta, undo, sum(changed.values())),
        *([] if whole else guards.in_transaction(target)),
        *ddl.missing_comments(target, "table", live.captured),
        sql.SQL("drop table {}").format(
            qualified(config.private_schema, companion(work.version, merge.STAGING))
        ),
        sql.SQL("alter table {} rename to {}").format(
            qualified(config.private_schema, undo), sql.Identifier(known.current)
        ),
        *cutover.record(work, plan, known),
        keep_undo(config.private_schema, known.current, sum(changed.values()), target.key),
    ]
    with work.phase("merge", f"merging {changed}"):
        try:
            result = swap.run(
                work.connection, target.name, statements, config.swap, [live.oid],
                committed=cutover.committed(work), waiting=cutover.waiting(work),
            )  # fmt: skip
        except PostgresRefused as error:
            if isinstance(error.__cause__, psycopg.errors.UniqueViolation) and whole:
                work.warnings.append(f"swapped, not merged: rows clash on the way ({error.__cause__})")
                return None
            if isinstance(error.__cause__, psycopg.IntegrityError):
                raise Refused(target.name, "constraint", str(error.__cause__).strip()) from error
            raise
    return Merged(changed, result)


def keep_undo(private: str, version: str, rows: int, key: tuple[str, ...]) -> sql.Composed:
    """Record that all that is kept of a version is what takes it back: `rows` rows of undo."""
    return sql.SQL(
        "update {}.run set undo_rows = {}, names = names || pg_catalog.jsonb_build_object('key', {}::text[]) "
        "where version = {}"
    ).format(sql.Identifier(private), sql.Literal(rows), sql.Literal(list(key)), sql.Literal(version))


def check_swap(work: Pipeline, plan: Plan, before: RunRow | None) -> None:
    """The table must be swapped after all: refuse where that would leave something behind."""
    assert plan.live is not None  # noqa: S101 - it was compared with
    try:
        preflight.check_carry(work.connection, work.target, plan.live, plan.columns, before)
    except PreflightError as error:
        raise PreflightError(
            work.target.name,
            f"the rows cannot be merged ({work.warnings[-1]}), and a swap would leave behind what depends on the "
            "identity of the table; allow the merge with max_changed=1 for this publication, or drop what depends",
            error.objects or (error.message,),
        ) from error


def become_candidate(work: Pipeline) -> None:
    """Copy the staged rows, frozen, into a version to be swapped in."""
    target, private = work.target, work.config.private_schema
    staging = qualified(private, companion(work.version, merge.STAGING))
    names = [column.name for column in target.columns]
    with (
        work.phase("load", "copying the staged rows into a new version"),
        connect(work.config.dsn, f"stir-publish-stage:{work.version}") as side,
    ):
        build.take_over(side, staging, work.connection, work.candidate, names)
