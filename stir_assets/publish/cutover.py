"""Puts a finished candidate live: fence, swap script and bookkeeping in one transaction; rebuilds what changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg import sql

from stir_assets.publish import candidate as build
from stir_assets.publish import ddl, live, preflight, swap
from stir_assets.publish.errors import Session
from stir_assets.publish.live import Live
from stir_assets.publish.manifest import TargetRow
from stir_assets.publish.modes import merge, rename
from stir_assets.publish.modes.script import Change
from stir_assets.publish.postgres import translated
from stir_assets.publish.preflight import Plan
from stir_assets.publish.publication import Progress

if TYPE_CHECKING:
    from stir_assets.publish.pipeline import Pipeline

_REBUILDS = 5


def cut_over(work: Pipeline, plan: Plan, known: TargetRow) -> swap.SwapResult:
    """Swap the candidate in. A grant, view or index added meanwhile is carried too, then the swap tried again."""
    for _ in range(_REBUILDS):
        try:
            return _swap(work, plan, known)
        except swap.CarriedChanged:
            with translated(f"{work.target.name}: carrying a change made meanwhile"):
                plan.live = live.find(work.connection, work.manifest, work.target)
                if plan.live is not None:
                    current = work.manifest.run(known.current) if known.current else None
                    preflight.check_carry(work.connection, work.target, plan.live, plan.columns, current)
                build.refresh(work.connection, work.candidate, plan.live)
    raise preflight.PreflightError(
        work.target.name, "what depends on the table keeps changing; publish again"
    )


def _swap(work: Pipeline, plan: Plan, known: TargetRow) -> swap.SwapResult:
    config, target, candidate, was = work.config, work.target, work.candidate, plan.live
    old = known.current or (ddl.version_name(target, f"adopted-{was.oid}", 0) if was else None)
    change = Change(
        target,
        config.private_schema,
        work.version,
        plan.columns,
        candidate.names,
        candidate.statistics,
        was,
        old,
    )
    statements: list[sql.Composable] = [
        swap.fence(config.private_schema, target.name, work.version, old, known.seq, target.mode),
        *change.statements(),
        *_bookkeeping(work, plan, known, old),
    ]

    relations = _relations(work, was)
    return swap.run(
        work.connection, target.name, statements, config.swap, relations,
        committed=committed(work), waiting=waiting(work),
    )  # fmt: skip


def committed(work: Pipeline) -> Callable[[], bool]:
    """Asks the manifest, on a session of its own, whether the version is live after all."""
    config, pid = work.config, work.connection.info.backend_pid
    return lambda: swap.committed(
        config.dsn, config.private_schema, config.public_schema, work.target.name, work.version, pid
    )


def waiting(work: Pipeline) -> Callable[[int, list[Session]], None]:
    """Says who is in the way, and that this publication is still alive."""

    def tell(attempt: int, blockers: list[Session]) -> None:
        who = ", ".join(map(str, blockers[:3])) or "a short transaction"
        work.on_progress(Progress("swap", f"attempt {attempt} gave way to {who}"))
        work.manifest.update(work.version)

    return tell


def _relations(work: Pipeline, was: Live | None) -> list[int]:
    if was is None:
        return []
    names = [f"{v['schema']}.{v['name']}" for v in was.captured["views"]]
    rows = work.connection.execute(
        "select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname || '.' || c.relname = any(%s)",
        (names,),
    ).fetchall()
    return [was.oid, *(row[0] for row in rows)]


def record(work: Pipeline, plan: Plan, known: TargetRow) -> list[sql.Composed]:
    """The manifest's side of a publication, in the transaction that makes it visible."""
    names = {
        "indexes": work.candidate.names,
        "statistics": work.candidate.statistics,
        "declared": [built.name for built in ddl.indexes(work.target)],
    }
    whole = plan.scope.way != "delta"
    return [
        sql.SQL(
            "update {}.run set state = 'swapped', published_at = pg_catalog.clock_timestamp(), heartbeat = "
            "pg_catalog.clock_timestamp(), names = {}, seq = {}, rows = {}, shape = {}, reconciled_at = {} "
            "where version = {}"
        ).format(
            sql.Identifier(work.config.private_schema),
            sql.Literal(json.dumps(names)),
            sql.Literal(known.seq + 1),
            sql.Literal(work.candidate.rows),
            sql.Literal(merge.shape(work.target, plan.columns)),
            sql.SQL("started") if whole else sql.Literal(plan.reconciled_at),
            sql.Literal(work.version),
        )
    ]


def _bookkeeping(work: Pipeline, plan: Plan, known: TargetRow, old: str | None) -> list[sql.Composed]:
    was, schema = plan.live, sql.Identifier(work.config.private_schema)
    statements = record(work, plan, known)
    if was is None or old is None:
        return statements
    if known.current is None:
        statements.append(
            sql.SQL(
                "insert into {}.run (version, target, run_id, attempt, mode, state, published_at) "
                "values ({}, {}, {}, 0, 'rename', 'adopted', null)"
            ).format(
                schema, sql.Literal(old), sql.Literal(work.target.name), sql.Literal(f"adopted-{was.oid}")
            )
        )
    statements.append(names_left_behind(work.config.private_schema, was, old))
    return statements


def names_left_behind(private: str, was: Live, version: str) -> sql.Composed:
    """Record under which names the indexes of the version that leaves can be found, for a way back."""
    left = {
        "indexes": rename.recorded_names(was.captured, version),
        "statistics": [
            [item["schema"], item["name"], ddl.versioned(item["name"], version)]
            for item in was.captured["statistics"]
        ],
    }
    return sql.SQL("update {}.run set names = names || {} where version = {}").format(
        sql.Identifier(private), sql.Literal(json.dumps(left)) + sql.SQL("::jsonb"), sql.Literal(version)
    )


def published_at(work: Pipeline) -> datetime:
    """When the swap committed, by PostgreSQL's clock."""
    row = work.connection.execute(
        sql.SQL("select published_at from {}.run where version = %s").format(
            sql.Identifier(work.config.private_schema)
        ),
        (work.version,),
    ).fetchone()
    assert row is not None  # noqa: S101 - written by the swap itself
    return row[0]
