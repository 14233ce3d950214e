"""Sensors that fail tick after tick. One of them makes every decision, so nobody else would say why nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus, TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo

# A code server that starts anew costs a tick or two.
_IN_A_ROW = 3
# A sensor that was renamed or removed leaves its last tick behind.
_RECENT_SECONDS = 900.0
_LONGEST_TEXT = 600


@dataclass(frozen=True)
class FailingSensor:
    """A sensor whose last ticks all failed. `error` is the head of the innermost cause."""

    name: str
    error: str


def failing_sensors(instance: dg.DagsterInstance, now: float) -> list[FailingSensor]:
    """The sensors whose last three ticks before `now` (seconds since the epoch) failed, by name."""
    return sorted(_found(instance, now), key=lambda sensor: sensor.name)


def _found(instance: dg.DagsterInstance, now: float) -> Iterator[FailingSensor]:
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.status is InstigatorStatus.STOPPED:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=_IN_A_ROW + 1)
        over = [tick.tick_data for tick in ticks if tick.status is not TickStatus.STARTED][:_IN_A_ROW]
        failed = [tick for tick in over if tick.status is TickStatus.FAILURE]
        if len(failed) == _IN_A_ROW and now - _ended(failed[0]) < _RECENT_SECONDS:
            yield FailingSensor(state.instigator_name, _head(failed[0].error))


def _ended(tick: TickData) -> float:
    return tick.end_timestamp or tick.timestamp


def _head(error: SerializableErrorInfo | None) -> str:
    if error is None:
        return "no error is on record"
    while error.cause is not None:
        error = error.cause
    return error.message.strip().split("\n\n")[0][:_LONGEST_TEXT]
