"""The planner's state, read from the Dagster instance in a few batched queries.

Nothing is remembered between ticks except what cannot change (finished runs) or matters little (run times), so
a restart, a reload or a lost cursor changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.event_log.base import AssetRecord

from stir_assets.automation.data_times import data_time_of
from stir_assets.automation.durations import Durations
from stir_assets.core.scheduling.model import Build, Failures, Graph, State

POINTER = "dagster/input_event_pointer/"
READ_VERSION = "dagster/input_data_version/"
DATA_VERSION = "dagster/data_version"
# On a heartbeat: which materialization it repeats, and when that was.
REPEATS = "stir/repeats"
BUILT_AT = "stir/built_at"

MEMORY_SECONDS = 6 * 3600.0
# Somebody stopped it: wait longer than after a failure of its own, and do not insist.
_CANCEL_COUNTS_AS = 2
_RUNS_READ = 500


@dataclass(frozen=True)
class Snapshot:
    """What one tick knows: the planner's state, and the materializations it was read from."""

    state: State
    records: Mapping[str, dg.EventLogRecord] = field(repr=False)
    """Last materialization event of each asset, heartbeats included."""


def read_state(
    instance: dg.DagsterInstance,
    graph: Graph,
    records: Iterable[AssetRecord | None],
    *,
    now: float,
    steps: Mapping[str, str] | None = None,
    durations: Durations | None = None,
) -> Snapshot:
    """State at `now` (seconds since the epoch). `records` are the asset records of the graph's nodes.

    `steps` names the step that builds each asset, so that an asset whose step never started is not blamed for
    its run's failure. `durations` keeps run times over ticks.
    """
    events: dict[str, dg.EventLogRecord] = {}
    for record in records:
        last = record.asset_entry.last_materialization_record if record else None
        if record and last:
            events[record.asset_entry.asset_key.to_user_string()] = last
    builds = {key: build_of(event) for key, event in events.items() if key in graph.nodes}
    built_by = {key: event.run_id for key, event in events.items()}
    unfinished = instance.get_run_records(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    busy = {
        key
        for run in unfinished
        for key in _selected(instance, run.dagster_run)
        if built_by.get(key) != run.dagster_run.run_id
    }
    failures = _Failed(instance, graph, builds, built_by, steps or {}).since(now - MEMORY_SECONDS, now)
    if durations is not None:
        durations.learn(instance, events, (key for key in builds if graph.nodes[key].managed))
    seconds = durations.medians() if durations is not None else {}
    return Snapshot(State(builds, frozenset(busy & set(graph.nodes)), failures, seconds), events)


def asset_records(instance: dg.DagsterInstance, graph: Graph) -> Sequence[AssetRecord]:
    """Records of all nodes in one query, for callers outside of a sensor's tick."""
    return instance.get_asset_records([dg.AssetKey.from_user_string(key) for key in graph.nodes])


def build_of(record: dg.EventLogRecord) -> Build:
    """A materialization as the planner sees it; a heartbeat as the materialization that it repeats."""
    materialization = cast(dg.AssetMaterialization, record.asset_materialization)
    tags = materialization.tags or {}
    return Build(
        built_at=float(tags.get(BUILT_AT, record.timestamp)),
        version=int(tags.get(REPEATS, record.storage_id)),
        data_version=tags.get(DATA_VERSION),
        read={
            name.removeprefix(POINTER): int(value)
            for name, value in tags.items()
            if name.startswith(POINTER) and value.isdigit()
        },
        read_data_versions={
            name.removeprefix(READ_VERSION): value
            for name, value in tags.items()
            if name.startswith(READ_VERSION)
        },
        data_time=data_time_of(materialization),
    )


def _selected(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterable[str]:
    if run.asset_selection is not None:
        return [key.to_user_string() for key in run.asset_selection]
    return _planned(instance, run.run_id)


# What is known of runs and cannot change. By run alone: the code server has another instance object each tick.
_planned_of: dict[str, tuple[str, ...]] = {}
_failed_of: dict[str, frozenset[str] | None] = {}


def _planned(instance: dg.DagsterInstance, run_id: str) -> tuple[str, ...]:
    """Assets of a run that was started as a whole job; written once, when the run is made."""
    if run_id not in _planned_of:
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        found = instance.get_records_for_run(run_id, of_type=kind).records
        keys = (record.event_log_entry.dagster_event for record in found)
        _make_room(_planned_of)
        _planned_of[run_id] = tuple(
            event.asset_key.to_user_string() for event in keys if event and event.asset_key
        )
    return _planned_of[run_id]


def _failed_steps(instance: dg.DagsterInstance, run_id: str) -> frozenset[str] | None:
    """Steps that failed in a finished run; None when it broke before or outside of its steps."""
    if run_id not in _failed_of:
        found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
        steps = frozenset(step for record in found if (step := record.event_log_entry.step_key))
        _make_room(_failed_of)
        _failed_of[run_id] = steps or None
    return _failed_of[run_id]


def _make_room(kept: dict[str, Any]) -> None:
    while len(kept) >= _RUNS_READ:
        kept.pop(next(iter(kept)), None)


@dataclass
class _Failed:
    """Who is to blame in the runs that did not succeed."""

    instance: dg.DagsterInstance
    graph: Graph
    builds: Mapping[str, Build]
    built_by: Mapping[str, str]
    steps: Mapping[str, str]

    def since(self, moment: float, now: float) -> dict[str, Failures]:
        """Failed attempts of each asset after its last success, in runs that ended since `moment`."""
        found: dict[str, Failures] = {}
        runs = self.instance.get_run_records(
            dg.RunsFilter(
                statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
                updated_after=datetime.fromtimestamp(moment, UTC),
            ),
            limit=_RUNS_READ,
        )
        for record in runs:
            ended = min(record.end_time or record.update_timestamp.timestamp(), now)
            canceled = record.dagster_run.status is dg.DagsterRunStatus.CANCELED
            # No worker took it up in time, or none could be started: nothing is known of its assets.
            unstarted = record.start_time is None and not canceled
            if ended < moment:
                continue
            for key in self._to_blame(record.dagster_run, ended, canceled=canceled):
                before = found.get(key, Failures(0, 0.0))
                count = 0 if unstarted else _CANCEL_COUNTS_AS if canceled else 1
                found[key] = Failures(
                    before.count + count, max(before.last_at, ended), before.not_started + unstarted
                )
        return found

    def _to_blame(self, run: dg.DagsterRun, ended: float, *, canceled: bool) -> list[str]:
        missing = {
            key
            for key in _selected(self.instance, run)
            if key in self.graph.nodes and self.built_by.get(key) != run.run_id
        }
        lasting = {
            key for key in missing if (build := self.builds.get(key)) is None or build.built_at < ended
        }
        if canceled or not lasting:
            return sorted(lasting)
        failed = _failed_steps(self.instance, run.run_id)
        return sorted(
            key
            for key in lasting
            # Behind an input that is missing too, it was skipped; the input is to blame.
            if not missing & set(self.graph.nodes[key].deps)
            and (failed is None or key not in self.steps or self.steps[key] in failed)
        )
