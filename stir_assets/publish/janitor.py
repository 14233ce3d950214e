"""Clears away what dead publications left. Runs under the lock of the target, so every unfinished run is dead."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from stir_assets.publish.clickhouse import ClickHouse, string
from stir_assets.publish.manifest import UNFINISHED, Manifest, RunRow
from stir_assets.publish.modes import merge
from stir_assets.publish.postgres import qualified
from stir_assets.publish.snapshot import drop, leftovers


@dataclass
class Swept:
    """What was found and removed."""

    recovered: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    objects: int = 0
    snapshots: list[str] = field(default_factory=list)


def sweep_postgres(manifest: Manifest, target: str) -> Swept:
    """Finish or abort dead runs and drop every version that is neither live nor the previous one."""
    swept = Swept()
    row = manifest.target(target)
    kept = {row.current, row.previous} if row else set()
    for run in manifest.runs(target):
        if run.state in UNFINISHED or run.state == "swapped":
            _settle(manifest, run, row.current if row else None, swept)
        names = [] if run.version in kept else [run.version]
        _drop(manifest, run.version, [*names, *merge.companions(run.version)], swept)
    return swept


def _settle(manifest: Manifest, run: RunRow, current: str | None, swept: Swept) -> None:
    if run.state == "swapped" or run.version == current:
        manifest.update(run.version, state="done")
        swept.recovered.append(run.version)
    else:
        manifest.update(run.version, state="aborted", error="its process ended before it was done")
        swept.aborted.append(run.version)


def _drop(manifest: Manifest, version: str, tables: list[str], swept: Swept) -> None:
    """Never CASCADE, never a long lock: a version still read is dropped by a later publication."""
    connection = manifest.connection
    try:
        with connection.transaction():
            connection.execute("set local lock_timeout = '300ms'")
            places = sql.SQL(", ").join(qualified(manifest.schema, table) for table in tables)
            connection.execute(sql.SQL("drop table if exists {}").format(places))
            if version not in tables:
                return
            connection.execute(
                sql.SQL("update {}.run set dropped = true where version = %s and not dropped").format(
                    sql.Identifier(manifest.schema)
                ),
                (version,),
            )
        swept.dropped.append(version)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DependentObjectsStillExist):
        swept.busy.append(version)


def sweep_clickhouse(clickhouse: ClickHouse, database: str, prefix: str) -> list[str]:
    """End exports that are still running and drop frozen tables of earlier runs."""
    running = clickhouse.rows(
        f"SELECT query_id FROM system.processes WHERE startsWith(query_id, {string(prefix)})",
        "looking for old exports",
    )
    clickhouse.kill([row[0] for row in running])
    found = leftovers(clickhouse, database, prefix)
    for name in found:
        drop(clickhouse, database, name)
    return found
