"""Lets the generated world's time pass beside a benchmark, as fast as real time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from clickhouse_connect.driver.client import Client

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import StirError
from stir_assets.settings import Settings
from stir_assets.world.build import advance_world
from stir_assets.world.storage import WorldError, read_state


class WorldClock(threading.Thread):
    """Advances the world to the present every `every` seconds until `stop`.

    Names in `stopped` are sources that bring nothing meanwhile (statements of `world/sql/stream`). `beside` is done
    after each step. What goes wrong ends the thread and is kept in `problem`.
    """

    def __init__(
        self,
        settings: Settings,
        every: float = 20.0,
        beside: Callable[[WorldClock, Client], None] | None = None,
    ) -> None:
        super().__init__(name="world-clock", daemon=True)
        self._settings, self._every, self._beside = settings, every, beside
        self._end = threading.Event()
        self.stopped: set[str] = set()
        self.advances = 0
        self.problem: BaseException | None = None

    def behind(self) -> float:
        """Seconds between the world's last moment and now. Raises `StirError` when there is no world."""
        with contextlib.closing(clickhouse_client(self._settings.clickhouse)) as client:
            state = read_state(client)
        if state is None:
            raise WorldError("there is no world to advance: run `stir seed` first")
        return (datetime.now(UTC) - state.clock).total_seconds()

    def advance(self) -> None:
        """One step, to the present."""
        behind = self.behind()
        if behind < 1:
            return
        with (
            contextlib.closing(clickhouse_client(self._settings.clickhouse)) as client,
            psycopg.connect(self._settings.postgres_dsn, autocommit=True) as product,
        ):
            moment = datetime.now(UTC)
            state = read_state(client)
            if state is not None and state.clock < moment:
                advance_world(
                    client,
                    moment - state.clock,
                    product_connection=product,
                    without=frozenset(self.stopped),
                )
            if self._beside is not None:
                self._beside(self, client)
        self.advances += 1

    def run(self) -> None:
        try:
            while not self._end.wait(self._every):
                self.advance()
        except (StirError, psycopg.Error, OSError) as problem:
            self.problem = problem

    def stop(self) -> None:
        """Ends after the step that is under way. Raises what ended the thread before."""
        self._end.set()
        if self.is_alive():
            self.join()
        if self.problem is not None:
            raise self.problem


def wait(seconds: float, *, pause: float = 0.5) -> None:
    """Sleeps in small steps, so that Ctrl-C is heard."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(pause)
