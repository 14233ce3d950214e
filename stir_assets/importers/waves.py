"""The five waves of the 2022 top lists: each has other columns, repeats names, and is told apart by position."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime

from stir_assets.importers.layouts import Layout, Reading, RowMapper
from stir_assets.importers.observations import Profile


def noon(year: int, month: int, day: int) -> int:
    """Seconds since 1970 UTC at noon of the day: how a day without a time is stored."""
    return int(datetime(year, month, day, 12, tzinfo=UTC).timestamp())


_MONTH = re.compile(r"_(20\d\d)_(0[1-9]|1[0-2])(?=[._])")

WAVE_DAYS = {
    "base": noon(2022, 3, 31),  # undated; the followers of the biggest accounts put it in spring 2022
    "06": noon(2022, 6, 30),
    "09": noon(2022, 9, 30),
    "11": noon(2022, 11, 30),
    "12": noon(2022, 12, 31),
}
"""A wave names its month only: the last day of it."""


def wave_layout(
    name: str,
    header: str,
    build: Callable[[dict[str, int], Reading], RowMapper],
    observed: int | None,
    platform: str = "YOUTUBE",
) -> Layout:
    """A layout by position; `header` lists the normalised names, joined by `|`."""
    return Layout(
        name, Profile, tuple(header.split("|")), build, by_position=True, observed=observed, platform=platform
    )


def month_in_name(name: str) -> int | None:
    """Noon of the last day of the month in a file name (`..._2022_06.csv.gz`), None if it names none."""
    match = _MONTH.search(name)
    if match is None:
        return None
    year, month = int(match[1]), int(match[2])
    return noon(year, month, calendar.monthrange(year, month)[1])
