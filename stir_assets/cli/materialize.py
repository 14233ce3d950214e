"""Runs an asset selection in this process, on the stack's own Dagster instance, and reports as it goes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from stir_assets.automation.freshness_checks import FRESHNESS
from stir_assets.errors import ConfigError, PermanentError


@dataclass
class RunReport:
    """What a run did. `rows` by asset where it is known; `problems` are failures and failed checks, in words."""

    run_id: str
    success: bool = False
    seconds: float = 0.0
    rows: dict[str, int | None] = field(default_factory=dict)
    checks: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One asset that is done, for a progress display."""

    asset: str
    rows: int | None
    done: int
    total: int


def materialize_selection(
    defs: dg.Definitions,
    selection: str,
    *,
    on_step: Callable[[Step], None],
    on_wait: Callable[[str], None] = lambda _: None,
) -> RunReport:
    """Materializes `selection` (Dagster's selection syntax) now; the run shows in the UI like any other.

    Waits for runs that build some of the same assets, telling `on_wait` once: two builds of one table at a time
    would spoil each other. Raises `ConfigError` when the selection is no selection or matches nothing that can be
    built.
    """
    with _without_warnings():
        keys = _resolve(defs, selection)
        job = defs.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=keys, asset_check_selection=_checks(defs, keys)
        )
    with dg.DagsterInstance.get() as instance, _without_warnings():
        _wait_for_others(instance, keys, on_wait)
        run = instance.create_run_for_job(
            job,
            asset_selection=frozenset(keys),
            # Kept in the event log, as in every run; only the progress display writes to the terminal.
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={"stir/started_by": "stir run", "stir/selection": selection[:200]},
        )
        report = RunReport(run.run_id)
        started = time.monotonic()
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            _note(event, report, len(keys), on_step)
        report.seconds = time.monotonic() - started
        report.success = instance.get_run_by_id(run.run_id).is_success  # pyright: ignore[reportOptionalMemberAccess]
    return report


def _wait_for_others(
    instance: dg.DagsterInstance, keys: set[dg.AssetKey], on_wait: Callable[[str], None]
) -> None:
    told: set[str] = set()
    while True:
        unfinished = instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        others = [run for run in unfinished if keys & set(run.asset_selection or ())]
        if not others:
            return
        for run in others:
            if run.run_id not in told:
                shared = len(keys & set(run.asset_selection or ()))
                on_wait(f"waiting for run {run.run_id[:8]}, which builds {shared} of these assets")
                told.add(run.run_id)
        time.sleep(1)


def _resolve(defs: dg.Definitions, selection: str) -> set[dg.AssetKey]:
    graph = defs.resolve_asset_graph()
    try:
        chosen = dg.AssetSelection.from_string(selection).resolve(graph)
    except Exception as error:
        raise ConfigError(
            f"{selection!r} is not an asset selection: {error}. Examples: '*', 'key:\"stir/mart_leaderboard\"+', "
            "'+key:\"serving/prod/leaderboard\"', 'group:leaderboard', 'tag:weekly'"
        ) from error
    keys = chosen & graph.materializable_asset_keys
    if not keys:
        what = "only assets that Stir does not build" if chosen else "no asset"
        raise ConfigError(f"the selection {selection!r} matches {what}; `stir freshness` lists all of them")
    return set(keys)


def _checks(defs: dg.Definitions, keys: set[dg.AssetKey]) -> set[dg.AssetCheckKey]:
    """The checks of what is built. Not `freshness`, which says how old the data are, not what the run did."""
    graph = defs.resolve_asset_graph()
    return {check for key in keys for check in graph.get(key).check_keys if check.name != FRESHNESS}


def _note(event: dg.DagsterEvent, report: RunReport, total: int, on_step: Callable[[Step], None]) -> None:
    if event.is_step_materialization:
        materialization = event.step_materialization_data.materialization
        key = materialization.asset_key.to_user_string()
        rows = materialization.metadata.get("dagster/row_count")
        count = int(rows.value) if rows is not None else None  # pyright: ignore[reportArgumentType]
        report.rows[key] = count
        on_step(Step(key, count, len(report.rows), total))
    elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        report.checks += 1
        if not check.passed:
            text = f"{check.asset_key.to_user_string()}: check {check.check_name} failed"
            (report.problems if check.severity is dg.AssetCheckSeverity.ERROR else report.warnings).append(
                text
            )
    elif event.is_step_failure:
        error = event.step_failure_data.user_failure_data
        cause = event.step_failure_data.error
        text = (
            error.description
            if error and error.description
            else (cause.message if cause else "no reason given")
        )
        report.problems.append(f"{event.step_key}: {text}")
    elif event.is_run_failure and event.message and not report.problems:
        report.problems.append(event.message)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Those of libraries about each other do not concern who runs an asset."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def require_success(report: RunReport) -> None:
    """Raises `PermanentError` with the problems of a run that failed."""
    if not report.success:
        raise PermanentError("the run failed:\n" + "\n".join(report.problems or ["no reason was recorded"]))
