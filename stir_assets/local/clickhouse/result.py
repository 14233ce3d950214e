"""Where a result goes on its way to the client, and the summary of what a statement read and wrote."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from typing import IO, Any

from stir_assets.local.clickhouse.response import Response, new_exception_tag

BUFFER_BYTES = 1 << 20


class Sink:
    """Where a result goes: held back until it outgrows a buffer (or always, to a file), then to the client.

    Holding back lets a small result carry its true summary, and an early error its proper status.
    """

    def __init__(
        self, response: Response, spool_dir: Any, *, hold: int, wait: bool, figures: Callable[[], str]
    ) -> None:
        self._response = response
        self._held: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._hold = hold
        self._wait = wait
        self._figures = figures
        self._spool_dir = spool_dir

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def take(self, data: memoryview) -> None:
        """The next part of the result."""
        if self._response.begun:
            self._response.write(data)
            return
        if self._file is not None:
            self._file.write(data)
            return
        self._held.append(bytes(data))
        self._size += len(data)
        if self._size < self._hold:
            return
        if self._wait:
            spool: IO[bytes] = tempfile.TemporaryFile(dir=self._spool_dir)  # noqa: SIM115 - closed in __exit__
            spool.writelines(self._held)
            self._file = spool
        else:
            self._response.headers["X-ClickHouse-Exception-Tag"] = new_exception_tag()
            # What is known when the headers go, as a server does it: the statement still runs.
            self._response.headers["X-ClickHouse-Summary"] = self._figures()
            self._response.begin(200)
            for part in self._held:
                self._response.write(part)
        self._held.clear()

    def send_all(self) -> None:
        """Send what was held back as one response."""
        if self._file is None:
            self._response.send(200, b"".join(self._held))
            return
        length = self._file.tell()
        self._file.seek(0)
        self._response.begin(200, length)
        while data := self._file.read(BUFFER_BYTES):
            self._response.write(data)
        self._response.end()


def summary(result: Any) -> str:
    """`X-ClickHouse-Summary`: all numbers as strings, as ClickHouse sends them."""
    written = result.rows_written()
    nanoseconds = int(result.elapsed() * 1e9)
    numbers = {
        "read_rows": result.storage_rows_read() or (result.rows_read() if written else 0),
        "read_bytes": result.storage_bytes_read() or (result.bytes_read() if written else 0),
        "written_rows": written,
        "written_bytes": result.bytes_written(),
        "total_rows_to_read": 0,
        "result_rows": written or result.rows_read(),
        "result_bytes": result.bytes_written() if written else result.bytes_read(),
        "elapsed_ns": nanoseconds,
        "real_time_microseconds": nanoseconds // 1000,
    }
    return json.dumps({name: str(value) for name, value in numbers.items()}, separators=(",", ":"))
