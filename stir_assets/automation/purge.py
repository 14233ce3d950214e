"""Removes what is old from Dagster's storage and from disk, and nothing that anybody still goes by.

Kept whatever its age: unfinished runs; the run of each asset's last materialization; of each asset the last event
of each kind. The planner looks back six hours and at seven materializations an asset, Dagster's freshness at the
last one; all ages here are days.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.schedules.schema import AssetDaemonAssetEvaluationsTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage

_BATCH = 500
# Some ten thousand events in a statement.
_RUNS_AT_ONCE = 100
# Events that no run made: what sensors saw in sources, heartbeats, changes of freshness.
_RUNLESS = ""


@dataclass(frozen=True)
class Keep:
    """For how long what is kept. `most_runs` bounds one pass, so that a first one ends; the next goes on."""

    runs: timedelta = timedelta(days=14)
    sensed: timedelta = timedelta(days=3)
    """Events without a run: they come every few seconds, and only the last of an asset is read."""
    reports: timedelta = timedelta(days=30)
    """The same of the group `platform`, whose events are the history that Dagster plots."""
    evaluations: timedelta = timedelta(days=3)
    files: timedelta = timedelta(days=2)
    most_runs: int = 5000


def storage_figures(instance: dg.DagsterInstance) -> dict[str, int]:
    """Rows of the tables that grow, and bytes of the whole database where PostgreSQL keeps it."""
    events, schedules = _event_storage(instance), instance.schedule_storage
    figures = {}
    with events.index_connection() as connection:
        for name, table in (
            ("runs", RunsTable),
            ("events", SqlEventLogStorageTable),
            ("check executions", AssetCheckExecutionsTable),
        ):
            figures[name] = connection.execute(db.select(db.func.count()).select_from(table)).scalar_one()
        if connection.dialect.name == "postgresql":
            size = db.text("select pg_database_size(current_database())")
            figures["database bytes"] = connection.execute(size).scalar_one()
    if isinstance(schedules, SqlScheduleStorage):
        with schedules.connect() as connection:
            count = db.select(db.func.count()).select_from(AssetDaemonAssetEvaluationsTable)
            figures["evaluations"] = connection.execute(count).scalar_one()
    return figures


def purge_runs(instance: dg.DagsterInstance, now: datetime, keep: Keep) -> int:
    """Deletes finished runs with their events and compute logs; returns how many."""
    # The filter is on creation: a run that took longer than it is kept does not exist.
    before = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=now - keep.runs)
    last = _runs_of_last_materializations(instance)
    old = instance.get_run_ids(before, limit=keep.most_runs + len(last))
    gone = [run_id for run_id in old if run_id not in last][: keep.most_runs]
    for batch in _batches(gone, _RUNS_AT_ONCE):
        _delete_runs(instance, batch)
        for run_id in batch:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(gone)


def _delete_runs(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """What `DagsterInstance.delete_run` does, in a few statements for many runs.

    Events first: after a crash the run is still there, and is found by the next pass.
    """
    log, tags, events = SqlEventLogStorageTable, AssetEventTagsTable, _event_storage(instance)
    for run_id in events.get_concurrency_run_ids().intersection(run_ids):
        events.free_concurrency_slots_for_run(run_id)
    with events.index_connection() as connection:
        theirs = db.select(log.c.id).where(log.c.run_id.in_(run_ids), log.c.asset_key.is_not(None))
        connection.execute(tags.delete().where(tags.c.event_id.in_(theirs)))
        connection.execute(log.delete().where(log.c.run_id.in_(run_ids)))
        # Tags of runs go with them, by their foreign key.
        connection.execute(RunsTable.delete().where(RunsTable.c.run_id.in_(run_ids)))


def purge_sensed_events(instance: dg.DagsterInstance, now: datetime, keep: Keep, platform: set[str]) -> int:
    """Deletes old events that no run made, but of each asset the last of each kind; returns how many.

    `platform` are the assets (`AssetKey.to_string()`) whose events are kept as history.
    """
    log, tags = SqlEventLogStorageTable, AssetEventTagsTable
    kinds = [kind.value for kind in ASSET_EVENTS | ASSET_CHECK_EVENTS] + [
        dg.DagsterEventType.FRESHNESS_STATE_CHANGE.value
    ]
    newest = db.select(db.func.max(log.c.id)).where(log.c.asset_key.is_not(None))
    newest = newest.group_by(log.c.asset_key, log.c.dagster_event_type)
    # Times in the log are UTC without a zone.
    sensed, reports = (
        (now - age).astimezone(UTC).replace(tzinfo=None) for age in (keep.sensed, keep.reports)
    )
    old = (
        db.select(log.c.id)
        .where(
            log.c.run_id == _RUNLESS,
            log.c.dagster_event_type.in_(kinds),
            log.c.timestamp < db.case((log.c.asset_key.in_(platform), reports), else_=sensed),
            log.c.id.not_in(newest),
        )
        .limit(_BATCH * 100)
    )
    with _event_storage(instance).index_connection() as connection:
        ids = [row[0] for row in connection.execute(old)]
        for batch in _batches(ids):
            connection.execute(tags.delete().where(tags.c.event_id.in_(batch)))
            connection.execute(log.delete().where(log.c.id.in_(batch)))
    return len(ids)


def purge_check_executions(instance: dg.DagsterInstance, now: datetime, keep: Keep) -> int:
    """Deletes results of checks as old as the runs, but of each check the last; returns how many.

    Dagster leaves them behind when it deletes a run.
    """
    table = AssetCheckExecutionsTable
    newest = db.select(db.func.max(table.c.id)).group_by(table.c.asset_key, table.c.check_name)
    before = (now - keep.runs).astimezone(UTC).replace(tzinfo=None)
    with _event_storage(instance).index_connection() as connection:
        return connection.execute(
            table.delete().where(table.c.create_timestamp < before, table.c.id.not_in(newest))
        ).rowcount


def purge_evaluations(instance: dg.DagsterInstance, now: datetime, keep: Keep) -> None:
    """Deletes old automation evaluations. Dagster's daemon does so for its own sensors only, not for ours."""
    if instance.schedule_storage is not None:
        instance.schedule_storage.purge_asset_evaluations((now - keep.evaluations).timestamp())


def purge_folders(parent: Path, pattern: str, now: datetime, keep: Keep) -> tuple[int, int]:
    """Deletes old folders of `parent` by name; how many, and the bytes in them."""
    count, size = 0, 0
    for folder in parent.glob(pattern):
        if folder.is_dir() and _age(folder, now) > keep.files:
            size += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count, size


def purge_objects(client: Any, bucket: str, prefix: str, now: datetime, keep: Keep) -> tuple[int, int]:
    """Deletes staged objects that no later publication has cleared away; how many, and their bytes.

    `client` is an S3 client of botocore. A publication is done in minutes, so what is days old belongs to none.
    """
    old = [
        (entry["Key"], entry["Size"])
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for entry in page.get("Contents", [])
        if now - entry["LastModified"] > keep.files
    ]
    for batch in _batches(old):
        client.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key, _ in batch], "Quiet": True}
        )
    return len(old), sum(size for _, size in old)


def _runs_of_last_materializations(instance: dg.DagsterInstance) -> set[str]:
    records = instance.get_asset_records(instance.all_asset_keys())
    last = (record.asset_entry.last_materialization_record for record in records)
    return {record.run_id for record in last if record is not None}


def _event_storage(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    storage = instance.event_log_storage
    # A wrapper, where all three storages are configured as one.
    storage = getattr(storage, "event_log_storage", storage)
    if not isinstance(storage, SqlEventLogStorage):
        raise dg.DagsterInvariantViolationError(
            f"{type(storage).__name__} is no SQL storage: nothing to purge"
        )
    return storage


def _batches(items: list[Any], size: int = _BATCH) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _age(path: Path, now: datetime) -> timedelta:
    return now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
