"""What is to be said of an asset that failed: in which run, with which error, by which guard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import StepFailureData

from stir_assets.core.scheduling.model import Failures

_RUNS_READ = 100
_HEAD_LINES, _HEAD_LENGTH = 4, 600
_ENGINES = {
    "ClickHouse": re.compile(r"(?i)clickhouse.{0,80}(does not answer|connection|timed? ?out)|NETWORK_ERROR"),
    "PostgreSQL": re.compile(
        r"(?i)postgresql does not answer|server closed the connection|could not connect to server"
        r"|connection (to server .{0,80}failed|is lost)|the database system is (starting|shutting)"
    ),
    "S3": re.compile(
        r"(?i)could not connect to the endpoint|EndpointConnectionError|SlowDown|S3 does not answer"
    ),
}


def failure_details(
    instance: dg.DagsterInstance,
    failures: Mapping[str, Failures],
    known: Mapping[str, Mapping[str, Any]],
    steps: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """By failing asset: `at`, `run`, `error` (its head), `guard` where one refused, and `cause` where
    others fail from the same: an engine that does not answer, a worker that died, a run that was cancelled.

    `known` is what an earlier call found; runs are read only for failures that are not in it.
    """
    failing = {key: failure for key, failure in failures.items() if failure.count}
    found = {
        key: dict(known[key])
        for key, failure in failing.items()
        if key in known and known[key].get("at") == failure.last_at
    }
    wanted = {key: failure.last_at for key, failure in failing.items() if key not in found}
    if not wanted:
        return found
    runs = instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
            updated_after=datetime.fromtimestamp(min(wanted.values()) - 1, UTC),
        ),
        limit=_RUNS_READ,
    )
    for record in runs:
        run = record.dagster_run
        selected = run.asset_selection
        mine = [
            key
            for key in wanted
            if key not in found and (selected is None or dg.AssetKey.from_user_string(key) in selected)
        ]
        if mine:
            errors = _step_failures(instance, run.run_id)
            for key in mine:
                found[key] = {"at": wanted[key], "run": run.run_id, **_error_of(key, run, errors, steps)}
    for key, at in wanted.items():
        found.setdefault(key, {"at": at, "run": "", "error": "its run is not in the storage any more"})
    return found


def _step_failures(instance: dg.DagsterInstance, run_id: str) -> dict[str, StepFailureData]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    events = (record.event_log_entry.dagster_event for record in records)
    return {event.step_key: event.step_failure_data for event in events if event and event.step_key}


def _error_of(
    key: str, run: dg.DagsterRun, errors: Mapping[str, StepFailureData], steps: Mapping[str, str]
) -> dict[str, Any]:
    if run.status is dg.DagsterRunStatus.CANCELED:
        return {"error": "its run was cancelled", "cause": f"run {run.run_id[:8]}"}
    data = errors.get(steps.get(key, "")) or next(iter(errors.values()), None)
    if data is None:
        return {
            "error": "its run ended before any of its steps failed: the run worker died or never started",
            "cause": "run worker",
        }
    user = data.user_failure_data
    text = (user.description if user else "") or _innermost(data)
    guard = user.metadata.get("guard") if user else None
    found: dict[str, Any] = {"error": error_head(text, key)}
    if guard is not None:
        found["guard"] = str(guard.value)
    engine = next((name for name, pattern in _ENGINES.items() if pattern.search(text)), None)
    if engine and not guard:
        found["cause"] = engine
    return found


def _innermost(data: StepFailureData) -> str:
    """The message of the exception that the author of the asset raised, below Dagster's wrappers."""
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message if error else "no error was recorded"


def error_head(text: str, key: str) -> str:
    """The lines of an error that matter for this asset: dbt reports all failed models of a run in one text."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    name = key.rpartition("/")[2]
    own = next((number for number, line in enumerate(lines) if line.startswith(f"{name}:")), None)
    lines = lines[own or 0 :]
    return _cut("\n".join(_until_the_next(lines)[:_HEAD_LINES]), _HEAD_LENGTH)


def _until_the_next(lines: list[str]) -> list[str]:
    """Stops where dbt begins to speak of another model."""
    result: list[str] = []
    for line in lines:
        if result and re.match(r"\w+: (error|fail|runtime error): ", line):
            break
        result.append(line)
    return result


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
