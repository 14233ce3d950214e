"""Run times of assets: the median of the last few materializations, measured by what ran them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

import dagster as dg

KEPT = 7
# History is read for a few assets a tick: it costs a query each, and is wanted only after a restart.
_READ_A_TICK = 4
# What measured it: serving tables, then dbt models.
_NAMES = ("stir/seconds", "Execution Duration")


class Durations:
    """A cache, not a state: without it the planner works with assumed run times until it fills."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[float]] = {}
        self._seen: dict[str, int] = {}
        self._unread: dict[str, None] = {}
        self._medians: dict[str, float] | None = None

    def learn(
        self, instance: dg.DagsterInstance, events: Mapping[str, dg.EventLogRecord], keys: Iterable[str]
    ) -> None:
        """Takes in the last materializations, and the history of a few assets not looked at yet."""
        for key in keys:
            record = events[key]
            if key not in self._seen:
                self._unread[key] = None
                self._seen[key] = 0
            if record.storage_id != self._seen[key]:
                self._seen[key] = record.storage_id
                self._add(key, record)
        self.read_some(instance)

    def read_some(self, instance: dg.DagsterInstance) -> None:
        """The history of a few assets not looked at yet."""
        for key in list(self._unread)[:_READ_A_TICK]:
            del self._unread[key]
            self.read_history(instance, key)

    def read_history(self, instance: dg.DagsterInstance, key: str) -> None:
        """The last few run times of one asset: one query."""
        found = instance.fetch_materializations(dg.AssetKey.from_user_string(key), limit=KEPT).records
        self._seconds.pop(key, None)
        self._medians = None
        for record in reversed(found):
            self._add(key, record)
            self._seen[key] = record.storage_id

    def medians(self) -> dict[str, float]:
        """Seconds by asset, of those that were measured; the same object until one was measured anew."""
        if self._medians is None:
            self._medians = {key: median(values) for key, values in self._seconds.items() if values}
        return self._medians

    def _add(self, key: str, record: dg.EventLogRecord) -> None:
        materialization = record.asset_materialization
        # A heartbeat repeats a measurement that was counted already.
        if materialization is None or "stir/repeats" in (materialization.tags or {}):
            return
        seconds = measured_seconds(materialization)
        if seconds is not None:
            self._medians = None
            self._seconds.setdefault(key, deque(maxlen=KEPT)).append(seconds)


def measured_seconds(materialization: dg.AssetMaterialization) -> float | None:
    """Run time in the metadata of a materialization, None when nobody measured it."""
    for name in _NAMES:
        value: Any = materialization.metadata.get(name)
        plain = value.value if isinstance(value, dg.MetadataValue) else value
        if isinstance(plain, int | float):
            return float(plain)
    return None
