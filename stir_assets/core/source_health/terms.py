"""How a source is watched beyond its freshness: declared beside it as `watch`, with defaults from the rest.

    config:
      meta:
        watch: {ahead: 10m, late: 6h, volume: {low: 0.3, high: 4}}     # or volume: off

- `ahead`: events may be this far in the future before its clock is called wrong (5m);
- `late`: 95 of 100 rows arrive within this time of their event (the promise's `fail`, else a day); measured
  where the time of arrival is recorded;
- `volume`: rows of an hour are between `low` and `high` times those of the same hour of the week, the median of
  four weeks. Of a table that is updated in place, the rows that were made in that hour (`created_at`), each counted
  once however often it was changed since. On by default where something is promised and rows can be counted so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stir_assets.core.durations import parse_duration
from stir_assets.core.freshness import WindowTerms, parse_terms
from stir_assets.core.source_tables import SourceTable
from stir_assets.errors import ConfigError

_AHEAD = timedelta(minutes=5)
_LATE = timedelta(hours=24)
_LOW, _HIGH = 0.3, 4.0
_CREATED = "created_at"


@dataclass(frozen=True)
class WatchTerms:
    """One source. `column` dates an event, `arrival` its arrival; None where it is not recorded."""

    key: str
    column: str
    arrival: str | None
    ahead: timedelta = _AHEAD
    late: timedelta | None = None
    low: float | None = None
    """Share of the usual volume below which it is unusual; None: not watched."""
    high: float | None = None
    created: str | None = None
    """Of a table updated in place: the column that says when a row was made."""
    identity: tuple[str, ...] = ()
    """Of such a table: the columns of which it keeps one row each."""

    @property
    def counts_by(self) -> str:
        """The column by which an hour's rows are counted."""
        return self.created or self.arrival or self.column


def watch_terms(table: SourceTable) -> WatchTerms | None:
    """Terms of a source; None for one without event time. Raises `ConfigError` naming it."""
    where, raw = f"source {table.key}", table.watch
    given = {} if raw is None else raw
    if not isinstance(given, Mapping) or set(given) - {"ahead", "late", "volume"}:
        raise ConfigError(f"{where}: watch is {raw!r}; write {{ahead: 10m, late: 6h, volume: off}}")
    if table.event_time is None:
        if given:
            raise ConfigError(f"{where}: watch needs an event_time")
        return None
    promise = parse_terms(table.freshness, where=where)
    late = promise.fail if isinstance(promise, WindowTerms) else _LATE
    if "late" in given and table.arrival is None:
        raise ConfigError(f"{where}: watch.late needs the column of arrival (meta.arrival)")
    low, high = _volume(given.get("volume", _has_history(table)), where)
    if low is not None and table.replaces_rows and _created(table) is None:
        raise ConfigError(
            f"{where}: watch.volume needs a column {_CREATED}, for its rows are replaced: write off"
        )
    return WatchTerms(
        key=f"{table.schema}/{table.name}",
        column=table.event_time,
        arrival=table.arrival,
        ahead=_duration(given.get("ahead"), _AHEAD, "ahead", where),
        late=_duration(given.get("late"), late, "late", where) if table.arrival else None,
        low=low,
        high=high,
        created=_created(table),
        identity=table.order_by if table.replaces_rows else (),
    )


def _created(table: SourceTable) -> str | None:
    return _CREATED if table.replaces_rows and _CREATED in table.column_names else None


def _has_history(table: SourceTable) -> bool:
    return table.freshness is not None and (not table.replaces_rows or _created(table) is not None)


def _volume(raw: Any, where: str) -> tuple[float | None, float | None]:
    # YAML reads a bare `off` as False.
    if raw is False or raw == "off":
        return None, None
    if raw is True or raw == "on":
        return _LOW, _HIGH
    if isinstance(raw, Mapping) and set(raw) == {"low", "high"}:
        low, high = raw["low"], raw["high"]
        if all(isinstance(value, int | float) for value in (low, high)) and 0 <= low < 1 < high:
            return float(low), float(high)
    raise ConfigError(f"{where}: watch.volume is {raw!r}; write off or {{low: 0.3, high: 4}}, low < 1 < high")


def _duration(text: Any, default: timedelta, name: str, where: str) -> timedelta:
    if text is None:
        return default
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: watch.{name}: {error}") from None
