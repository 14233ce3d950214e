"""Durations as people write them in yml: "45s", "15m", "2h", "8d", "1h30m"."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_WHOLE = re.compile(r"(?:\d+[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def parse_duration(text: str) -> timedelta:
    """`"1h30m"` -> 1 hour 30 minutes. Raises `ValueError` saying what form is wanted."""
    compact = str(text).replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(
            f"{text!r} is not a duration: write a number with s, m, h or d, such as 15m or 1h30m"
        )
    total = timedelta()
    for number, unit in _PART.findall(compact):
        total += timedelta(**{_UNITS[unit]: int(number)})
    if total <= timedelta():
        raise ValueError(f"{text!r} is not a duration: it must be longer than zero")
    return total


def format_duration(duration: timedelta) -> str:
    """The shortest exact form that `parse_duration` reads back; sub-second parts are dropped.

    A negative duration (data from the future) gets a leading minus.
    """
    seconds = int(duration.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0s")
