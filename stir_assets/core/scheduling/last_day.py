"""The lag of the last 24 hours in a few characters: the largest of each hour, as a row of bars."""

from __future__ import annotations

from collections.abc import Mapping

HOURS = 24
_BARS = "▁▂▃▄▅▆▇█"
_HOUR = 3600


def remember(
    history: Mapping[str, Mapping[str, float]], lags: Mapping[str, float], now: float
) -> dict[str, dict[str, float]]:
    """The history with the lags (seconds) of `now`: by asset, by hour since the epoch, the largest lag."""
    hour = int(now // _HOUR)
    result = {}
    for key in {*history, *lags}:
        hours = {name: lag for name, lag in history.get(key, {}).items() if hour - int(name) < HOURS}
        if key in lags:
            hours[str(hour)] = round(max(lags[key], hours.get(str(hour), 0.0)))
        if hours:
            result[key] = hours
    return result


def bars(hours: Mapping[str, float], promised: float, now: float) -> str:
    """One bar an hour, the oldest first: full height is the promise (seconds), `!` above it, a dot without data."""
    newest = int(now // _HOUR)
    return "".join(_bar(hours.get(str(hour)), promised) for hour in range(newest - HOURS + 1, newest + 1))


def _bar(lag: float | None, promised: float) -> str:
    if lag is None:
        return "·"
    if lag > promised:
        return "!"
    return _BARS[min(int(lag / promised * len(_BARS)), len(_BARS) - 1)]
