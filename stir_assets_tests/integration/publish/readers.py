"""Readers of the live table that look all the time, and keep the worst of what they saw."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import psycopg

QUERY = "select count(*), min(version), max(version) from public.board"


@dataclass
class Readers:
    """`count` sessions on autocommit, each with a prepared statement, from `with` to its end.

    `lock_timeout` (milliseconds) turns a wait for a lock into an error of the reader: a limit on what a swap may
    cost that does not depend on how busy the machine is.
    """

    dsn: str
    query: str = QUERY
    count: int = 4
    lock_timeout: int = 0
    pause: float = 0.005  # seconds: without one, readers take the processors from what they watch
    seen: list[list[tuple[int, int, int]]] = field(default_factory=list)
    errors: list[psycopg.Error] = field(default_factory=list)
    worst_stall: float = 0.0

    def __enter__(self) -> Readers:
        self._stop = threading.Event()
        self.seen = [[] for _ in range(self.count)]
        self._threads = [threading.Thread(target=self._read, args=(mine,)) for mine in self.seen]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, mine: list[tuple[int, int, int]]) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"set lock_timeout = {self.lock_timeout}")  # pyright: ignore[reportArgumentType]
            while not self._stop.is_set():
                started = time.monotonic()
                try:
                    row = connection.execute(self.query, prepare=True).fetchone()  # pyright: ignore[reportArgumentType]
                    assert row is not None
                    mine.append(row)
                except psycopg.Error as error:
                    self.errors.append(error)
                self.worst_stall = max(self.worst_stall, time.monotonic() - started)
                self._stop.wait(self.pause)

    def assert_whole(self, rows: int, at_least: int = 1) -> None:
        """No error, no empty or half table, never two versions at once, never an older one after a newer."""
        assert self.errors == []
        for mine in self.seen:
            assert len(mine) >= at_least
            assert {count for count, _, _ in mine} == {rows}
            assert all(low == high for _, low, high in mine)
            versions = [low for _, low, _ in mine]
            assert versions == sorted(versions)
