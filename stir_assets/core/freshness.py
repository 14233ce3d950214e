"""Freshness terms: how fresh a table's data must be, as declared beside it.

Two forms, and no third:

- a window, `{warn: 15m, fail: 30m}`: the newest source event in the table is never older than `fail`;
- a deadline, `{deadline: "20:15 UTC", lookback: 26h}`: served anew by that time every day, from data not older
  than `lookback` at any time.

`parse_terms` is the only place that reads them; its errors name where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from stir_assets.core.durations import format_duration, parse_duration
from stir_assets.errors import ConfigError

_DEADLINE = re.compile(r"([01]\d|2[0-3]):([0-5]\d) UTC")
_SHORTEST = timedelta(seconds=60)


@dataclass(frozen=True)
class WindowTerms:
    """The data's lag stays under `fail`; from `warn` on the promise is at risk. 1 minute <= warn < fail."""

    warn: timedelta
    fail: timedelta

    def __str__(self) -> str:
        return f"within {format_duration(self.fail)} (warn {format_duration(self.warn)})"


@dataclass(frozen=True)
class DeadlineTerms:
    """Served anew by `deadline` (UTC wall time) every day; the data's lag never exceeds `lookback`."""

    deadline: time
    lookback: timedelta

    def last_deadline(self, now: datetime) -> datetime:
        """The most recent deadline at or before `now` (timezone-aware)."""
        today = datetime.combine(now.astimezone(UTC).date(), self.deadline, tzinfo=UTC)
        return today if today <= now else today - timedelta(days=1)

    def next_deadline(self, now: datetime) -> datetime:
        """The first deadline after `now` (timezone-aware)."""
        return self.last_deadline(now) + timedelta(days=1)

    def __str__(self) -> str:
        return f"by {self.deadline:%H:%M} UTC daily, within {format_duration(self.lookback)}"


FreshnessTerms = WindowTerms | DeadlineTerms


def parse_terms(raw: Any, *, where: str) -> FreshnessTerms | None:
    """Terms from a `freshness:` mapping; None (promises nothing) when there is no mapping.

    `where` is what an error names, such as the yml's path and the model. Raises `ConfigError`.
    """
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: freshness is {raw!r}; write {{warn: 15m, fail: 30m}} or a deadline")
    keys = set(raw)
    if keys == {"warn", "fail"}:
        return _window(raw, where)
    if keys == {"deadline", "lookback"}:
        return _deadline(raw, where)
    raise ConfigError(
        f"{where}: freshness has the keys {', '.join(sorted(map(str, keys)))}; "
        'write {warn: 15m, fail: 30m} or {deadline: "20:15 UTC", lookback: 26h}'
    )


def _window(raw: Mapping[str, Any], where: str) -> WindowTerms:
    warn, fail = _duration(raw["warn"], "warn", where), _duration(raw["fail"], "fail", where)
    if warn >= fail:
        raise ConfigError(
            f"{where}: freshness.warn ({raw['warn']}) must be shorter than fail ({raw['fail']})"
        )
    if warn < _SHORTEST:
        raise ConfigError(
            f"{where}: freshness.warn ({raw['warn']}) is under a minute, the shortest term there is"
        )
    return WindowTerms(warn=warn, fail=fail)


def _deadline(raw: Mapping[str, Any], where: str) -> DeadlineTerms:
    match = _DEADLINE.fullmatch(str(raw["deadline"]).strip())
    if not match:
        raise ConfigError(f'{where}: freshness.deadline is {raw["deadline"]!r}; write it like "20:15 UTC"')
    lookback = _duration(raw["lookback"], "lookback", where)
    if lookback <= timedelta(hours=24):
        raise ConfigError(
            f"{where}: freshness.lookback ({raw['lookback']}) must be longer than 24h, or a daily table breaks "
            "its promise every day just before the deadline"
        )
    return DeadlineTerms(deadline=time(int(match[1]), int(match[2])), lookback=lookback)


def _duration(text: Any, name: str, where: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: freshness.{name}: {error}") from None


def within(*, warn: str, fail: str) -> WindowTerms:
    """Terms in Python: `within(warn="30m", fail="60m")`. Raises `ConfigError` like `parse_terms`."""
    return _window({"warn": warn, "fail": fail}, "declaration")


def daily_by(deadline: str, *, lookback: str) -> DeadlineTerms:
    """Terms in Python: `daily_by("20:15 UTC", lookback="26h")`. Raises `ConfigError` like `parse_terms`."""
    return _deadline({"deadline": deadline, "lookback": lookback}, "declaration")
