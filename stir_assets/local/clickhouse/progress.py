"""`X-ClickHouse-Progress`: a sign of life in the headers while a statement computes.

A client that waits for a long statement gives up when nothing arrives within its read timeout. ClickHouse, asked with
`send_progress_in_http_headers=1`, sends the status line early and then a header line with what it has read and
written so far, not more often than `http_headers_progress_interval_ms`. One thread does it here for all requests:
whatever a request waits for (a free slot, the engine, the rest of its own body), its client hears of it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from stir_assets.local.clickhouse.engine import Engine
from stir_assets.local.clickhouse.errors import ClickHouseError, Code
from stir_assets.local.clickhouse.request import Request
from stir_assets.local.clickhouse.response import Response

_DEFAULT_INTERVAL_MS = 100
_COLUMNS = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_approx", "memory_usage")
_NAMES = ("read_rows", "read_bytes", "written_rows", "written_bytes", "total_rows_to_read", "memory_usage")


@dataclass(eq=False)
class Watch:
    """One request that is being answered. `condition` on `system.processes` finds its statement, once there is one."""

    response: Response
    interval: float | None
    condition: str = ""
    started: float = field(default_factory=time.monotonic)
    due: float = 0.0


class Progress:
    """Tells waiting clients how far their statements are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watches: set[Watch] = set()
        self._state = threading.Condition()
        self._wakes_at = float("inf")
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def watch(self, request: Request, response: Response) -> Iterator[Watch]:
        """Send progress for as long as this lasts and the headers are not out, if the request asks for it.

        Raises `ClickHouseError` for an interval that is no number.
        """
        watch = Watch(response, _interval(request))
        if watch.interval is None:
            yield watch
            return
        watch.due = watch.started + watch.interval
        with self._state:
            self._watches.add(watch)
            if watch.due < self._wakes_at:
                self._state.notify()
        try:
            yield watch
        finally:
            with self._state:
                self._watches.discard(watch)

    def figures(self, watch: Watch) -> str:
        """What is known of a running statement, as ClickHouse writes it: all numbers as strings."""
        known: dict[str, str] = dict.fromkeys(_NAMES, "0")
        if watch.condition:
            # The oldest: this very question can hold the words it looks for.
            sql = (
                f"SELECT {', '.join(_COLUMNS)} FROM system.processes WHERE {watch.condition} "
                "ORDER BY elapsed DESC LIMIT 1"
            )
            # The statement may have ended by now, or the engine be on its way down: the time is still true.
            with contextlib.suppress(ClickHouseError):
                if row := self._engine.scalar(sql):
                    known = dict(zip(_NAMES, row.split("\t"), strict=True))
        known["elapsed_ns"] = str(int((time.monotonic() - watch.started) * 1e9))
        return json.dumps(known, separators=(",", ":"))

    def close(self) -> None:
        """Stop sending; returns when no question to the engine is under way."""
        with self._state:
            self._closed = True
            self._state.notify()
        self._thread.join()

    def _run(self) -> None:
        while due := self._next():
            for watch in due:
                if watch.response.headers_open:
                    watch.response.send_progress(self.figures(watch))

    def _next(self) -> list[Watch]:
        """Wait for the next watches that are due; none when closed."""
        with self._state:
            while not self._closed:
                now = time.monotonic()
                due = [watch for watch in self._watches if watch.due <= now]
                for watch in due:
                    watch.due = now + (watch.interval or 0)
                if due:
                    return due
                self._wakes_at = min((watch.due for watch in self._watches), default=float("inf"))
                self._state.wait(None if self._wakes_at == float("inf") else self._wakes_at - now)
        return []


def _interval(request: Request) -> float | None:
    """Seconds between two lines; None if the request wants none."""
    if not request.flag("send_progress_in_http_headers"):
        return None
    text = request.params.get("http_headers_progress_interval_ms", str(_DEFAULT_INTERVAL_MS))
    if not text.isdigit():
        raise ClickHouseError(
            Code.CANNOT_PARSE_INPUT_ASSERTION_FAILED,
            f"Cannot parse '{text}' as a number of milliseconds for setting http_headers_progress_interval_ms",
        )
    return max(int(text), 1) / 1000
