"""Freshness terms: how fresh a table's data must be, as declared beside it.

Two forms, and no third:

- a window, `{warn: 15m, fail: 30m}`: the newest source event in the table is never older than `fail`;
- a deadline, `{deadline: "20:15 UTC", lookback: 26h}`: served anew by that time every day, from data not older
  than `lookback` at any time.

To either, `every: 2h` adds an aim that is shorter than the promise: the table is refreshed so often while its
inputs have news and its runs are cheap enough: they may take a tenth of the time, or the part that `share: 50%` says,
half of it at most. Nobody is told when an aim is missed.

`parse_terms` is the only place that reads them; its errors name where they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from stir_assets.core.durations import format_duration, parse_duration
from stir_assets.errors import ConfigError

_DEADLINE = re.compile(r"([01]\d|2[0-3]):([0-5]\d) UTC")
_SHORTEST = timedelta(seconds=60)
# Below this an aim would be shorter than noticing, deciding and building.
_SHORTEST_AIM = timedelta(seconds=15)
_PERCENT = re.compile(r"(\d{1,2}) ?%")
# A table that is built more than half of the time leaves its own inputs no room to be built.
_LARGEST_SHARE = 0.5
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WindowTerms:
    """The data's lag stays under `fail`; from `warn` on the promise is at risk. 1 minute <= warn < fail.

    `every`, shorter than `warn`, is the lag aimed at; `share` the part of the time that runs for it may take.
    """

    warn: timedelta
    fail: timedelta
    every: timedelta | None = None
    share: float | None = None

    @property
    def pace(self) -> timedelta:
        """The lag that a refresh should come before."""
        return self.every or self.warn

    def __str__(self) -> str:
        return f"within {format_duration(self.fail)} (warn {format_duration(self.warn)}){_aim(self)}"


@dataclass(frozen=True)
class DeadlineTerms:
    """Served anew by `deadline` (UTC wall time) every day; the data's lag never exceeds `lookback`.

    `every`, shorter than a day, is the lag aimed at; without it the table is refreshed once a day. `share` is the part
    of the time that runs for it may take.
    """

    deadline: time
    lookback: timedelta
    every: timedelta | None = None
    share: float | None = None

    @property
    def pace(self) -> timedelta:
        """The lag that a refresh should come before."""
        return self.every or _DAY

    def last_before(self, now: float) -> float:
        """The most recent deadline at or before `now`, both in seconds since the epoch."""
        # Days of the epoch begin at midnight UTC and have 86,400 seconds each.
        after_midnight = self.deadline.hour * 3600 + self.deadline.minute * 60
        return (now - after_midnight) // 86_400 * 86_400 + after_midnight

    def __str__(self) -> str:
        return f"by {self.deadline:%H:%M} UTC daily, within {format_duration(self.lookback)}{_aim(self)}"


def _aim(terms: FreshnessTerms) -> str:
    if not terms.every:
        return ""
    share = f" in {terms.share:.0%} of the time" if terms.share else ""
    return f", aims at {format_duration(terms.every)}{share}"


FreshnessTerms = WindowTerms | DeadlineTerms


def parse_terms(raw: Any, *, where: str) -> FreshnessTerms | None:
    """Terms from a `freshness:` mapping; None (promises nothing) when there is no mapping.

    `where` is what an error names, such as the yml's path and the model. Raises `ConfigError`.
    """
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: freshness is {raw!r}; write {{warn: 15m, fail: 30m}} or a deadline")
    keys = set(raw) - {"every", "share"}
    if keys == {"warn", "fail"}:
        return _window(raw, where)
    if keys == {"deadline", "lookback"}:
        return _deadline(raw, where)
    raise ConfigError(
        f"{where}: freshness has the keys {', '.join(sorted(map(str, raw)))}; "
        'write {warn: 15m, fail: 30m} or {deadline: "20:15 UTC", lookback: 26h}, to either `every` if you like'
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
    return WindowTerms(warn, fail, _every(raw, warn, f"warn ({raw['warn']})", where), _share(raw, where))


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
    at = time(int(match[1]), int(match[2]))
    return DeadlineTerms(at, lookback, _every(raw, _DAY, "a day", where), _share(raw, where))


def _every(raw: Mapping[str, Any], below: timedelta, named: str, where: str) -> timedelta | None:
    if raw.get("every") is None:
        return None
    every = _duration(raw["every"], "every", where)
    if not _SHORTEST_AIM <= every < below:
        raise ConfigError(
            f"{where}: freshness.every ({raw['every']}) must be at least 15s and shorter than {named}, "
            "or leave it out"
        )
    return every


def _share(raw: Mapping[str, Any], where: str) -> float | None:
    if raw.get("share") is None:
        return None
    match = _PERCENT.fullmatch(str(raw["share"]).strip())
    if not match or not 0 < int(match[1]) <= 100 * _LARGEST_SHARE or raw.get("every") is None:
        raise ConfigError(
            f"{where}: freshness.share is {raw['share']!r}; it is the part of the time that runs for `every` may take: "
            "write 1% to 50% beside an `every`, or leave it out (10%)"
        )
    return int(match[1]) / 100


def _duration(text: Any, name: str, where: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{where}: freshness.{name}: {error}") from None


def within(*, warn: str, fail: str, every: str | None = None, share: str | None = None) -> WindowTerms:
    """Terms in Python: `within(warn="30m", fail="60m")`. Raises `ConfigError` like `parse_terms`."""
    return _window({"warn": warn, "fail": fail, "every": every, "share": share}, "declaration")


def daily_by(
    deadline: str, *, lookback: str, every: str | None = None, share: str | None = None
) -> DeadlineTerms:
    """Terms in Python: `daily_by("20:15 UTC", lookback="26h")`. Raises `ConfigError` like `parse_terms`."""
    raw = {"deadline": deadline, "lookback": lookback, "every": every, "share": share}
    return _deadline(raw, "declaration")


def terms_as_written(terms: FreshnessTerms) -> dict[str, str]:
    """The mapping form of `terms`, as it would stand in a yml."""
    if isinstance(terms, DeadlineTerms):
        raw = {"deadline": f"{terms.deadline:%H:%M} UTC", "lookback": format_duration(terms.lookback)}
    else:
        raw = {"warn": format_duration(terms.warn), "fail": format_duration(terms.fail)}
    every = {"every": format_duration(terms.every)} if terms.every else {}
    return raw | every | ({"share": f"{terms.share:.0%}"} if terms.share else {})
