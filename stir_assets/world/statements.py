"""Runs the SQL statements that make things happen in the world.

`sql/frozen/*.sql` run once when the world is built, `sql/stream/*.sql` at the build and at every advance, in
the order of their numbers. Each inserts what happens after `t0` up to and including `t1` and depends on
nothing else than its window, the seed and the characters, so one long step equals many short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from clickhouse_connect.driver.client import Client

from stir_assets.world.flows import requests_per_day

SQL_DIR = Path(__file__).parent / "sql"
HOUR = 3_600
DAY = 86_400
# History before the anchor: nine months of posts and scrapes, and collections made some months earlier.
HISTORY_DAYS = 280
DAWN_DAYS = HISTORY_DAYS + 150


@dataclass(frozen=True)
class Window:
    """What a statement is told: the window (epoch seconds, `t0` excluded) and the size of the world."""

    seed: int
    anchor: int
    t0: int
    t1: int
    profiles: int
    channels: int
    scale: float

    @property
    def parameters(self) -> dict[str, int | float]:
        return {
            "seed": self.seed,
            "anchor": self.anchor,
            "start": self.anchor - HISTORY_DAYS * DAY,
            "dawn": dawn(self.anchor),
            # Seconds between two new post collections, profile collections and profile collection items.
            "post_collection_every": DAWN_DAYS * DAY / max(24, 160 * self.scale),
            "profile_collection_every": DAWN_DAYS * DAY / max(12, 60 * self.scale),
            "t0": self.t0,
            "t1": self.t1,
            "profiles": self.profiles,
            "channels": self.channels,
            "scale": self.scale,
            "requests_per_day": requests_per_day() * max(self.scale, 0.1),
        }


def dawn(anchor: int) -> int:
    """Epoch second before which nothing happens; a build's window starts here."""
    return anchor - DAWN_DAYS * DAY


@dataclass(frozen=True)
class Statement:
    """One INSERT. An `hourly` one sees its window in full hours, so that short advances skip it."""

    name: str
    sql: str
    hourly: bool


@cache
def statements(kind: str) -> tuple[Statement, ...]:
    """The statements of a folder (`frozen` or `stream`), in running order."""
    prelude = (SQL_DIR / "prelude.sql").read_text(encoding="utf-8")
    found = []
    for path in sorted((SQL_DIR / kind).glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        sql = text.replace("/* prelude */", prelude)
        found.append(Statement(path.stem, sql, hourly=text.startswith("-- hourly")))
    return tuple(found)


def run(
    client: Client,
    kind: str,
    window: Window,
    on_statement: Callable[[str], None] | None = None,
    *,
    without: Collection[str] = (),
) -> None:
    """Run all statements of a folder for a window; `on_statement` hears each name before it runs.

    Statements named in `without` are left out: what they would have added in this window never arrives.
    """
    hours = replace(window, t0=window.t0 // HOUR * HOUR, t1=window.t1 // HOUR * HOUR)
    for statement in statements(kind):
        seen = hours if statement.hourly else window
        if seen.t0 == seen.t1 or statement.name in without:
            continue
        if on_statement:
            on_statement(statement.name)
        client.command(statement.sql, parameters=seen.parameters)
