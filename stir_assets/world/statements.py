"""Runs the SQL statements that make things happen in the world.

`sql/frozen/*.sql` run once when the world is built, `sql/stream/*.sql` at the build and at every advance, in
the order of their numbers. Each inserts what happens after `t0` up to and including `t1` and depends on
nothing else than its window, the seed and the characters, so one long step equals many short ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clickhouse_connect.driver.client import Client

from stir_assets.world.flows import requests_per_day

SQL_DIR = Path(__file__).parent / "sql"
DAY = 86_400
# History before the anchor: nine months of posts and scrapes, and collections made some months earlier.
HISTORY_DAYS = 280
DAWN_DAYS = HISTORY_DAYS + 150
# The statements are long expressions over few rows: on small windows planning costs more than running.
SETTINGS = {"max_threads": 0, "join_use_nulls": 0, "max_insert_threads": 2, "allow_experimental_analyzer": 1}


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


@cache
def statements(kind: str) -> tuple[tuple[str, str], ...]:
    """(name, SQL) of the statements of a folder (`frozen` or `stream`), in running order."""
    prelude = (SQL_DIR / "prelude.sql").read_text(encoding="utf-8")
    return tuple(
        (path.stem, path.read_text(encoding="utf-8").replace("/* prelude */", prelude))
        for path in sorted((SQL_DIR / kind).glob("*.sql"))
    )


def run(client: Client, kind: str, window: Window, on_statement: Callable[[str], None] | None = None) -> None:
    """Run all statements of a folder for a window; `on_statement` hears each name before it runs."""
    for name, sql in statements(kind):
        if on_statement:
            on_statement(name)
        client.command(sql, parameters=window.parameters)
