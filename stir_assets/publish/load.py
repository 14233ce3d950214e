"""Staged objects -> COPY, at COPY's own speed and with a few megabytes in hand whatever the size.

FREEZE, in the transaction that creates the table, is about correctness: a reader whose snapshot is older than
the load would otherwise find the table empty after the swap, without an error.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from stir_assets.errors import StirError
from stir_assets.publish.encode import ValueOutOfRange
from stir_assets.publish.errors import IncompleteExport, Refused, TypeConversionError
from stir_assets.publish.export import Exporter
from stir_assets.publish.postgres import Connection, raw, translate

_COPY_CONTEXT = re.compile(r"COPY .+?, line (\d+)(?:, column (.+?))?(?::|$)", re.MULTILINE)
_READ_AHEAD = 2  # chunks of about a megabyte


@dataclass
class Loaded:
    """What has been staged and handed to COPY so far."""

    rows: int = 0
    bytes: int = 0
    staged_bytes: int = 0


Progress = Callable[[Loaded], None]

_MESSAGE = 1 << 18  # bytes
_OUT_OF_RANGE = "22003"
_DIRTY_TEXT = (
    "Declare the column with convert='scrub' to drop what text cannot hold, or with convert='bytea' to keep every "
    "byte; or correct the value upstream"
)
# Encoding, NUL in JSON; number out of range; text too long.
_REMEDIES = {
    "22021": _DIRTY_TEXT,
    "22P05": _DIRTY_TEXT,
    _OUT_OF_RANGE: "Declare a wider type, such as numeric; or correct the value upstream",
    "22001": "Declare a longer type, such as text; or cut the value in the column's source",
}


def copy_slices(
    connection: Connection,
    exporter: Exporter,
    table: sql.Composable,
    columns: Sequence[str],
    *,
    target: str,
    types: dict[str, str],
    frozen: bool,
    progress: Progress,
) -> Loaded:
    """COPY all slices into the table, as they are staged, in one statement; check the rows of each and of all.

    One statement, read ahead across its objects, so that PostgreSQL never waits for a new one to be opened. Caller
    holds the transaction. Raises IncompleteExport, TypeConversionError, Refused (NOT NULL, CHECK) or what the
    exporter ran into.
    """
    form = exporter.form
    statement = sql.SQL("copy {} ({}) from stdin ({}{})").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, form.arrange(columns))),
        raw(form.copy_options),
        sql.SQL(", freeze") if frozen else sql.SQL(""),
    )
    loaded, wrong = Loaded(), list[str]()

    def staged(stopped: threading.Event) -> Iterator[bytes | memoryview]:
        return _staged(exporter, loaded, wrong, stopped, target, types)

    cursor = connection.cursor()
    try:
        with (
            cursor.copy(statement) as copy,
            ReadAhead(staged) as chunks,
        ):
            copy.write(form.before)
            for chunk in chunks:
                # PostgreSQL takes in a message whole before it looks at it: a large one is read from memory again.
                for start in range(0, len(chunk), _MESSAGE):
                    copy.write(chunk[start : start + _MESSAGE])
                progress(loaded)
            copy.write(form.after)
    except psycopg.Error as error:
        raise copy_error(error, target, types) from error
    if cursor.rowcount != loaded.rows:
        wrong.append(f"{loaded.rows} rows were staged and {cursor.rowcount} loaded")
    if wrong:
        raise IncompleteExport(f"{target}: {wrong[0]}; the publication was given up")
    progress(loaded)
    return loaded


def _staged(
    exporter: Exporter,
    loaded: Loaded,
    wrong: list[str],
    stopped: threading.Event,
    target: str,
    types: dict[str, str],
) -> Iterator[bytes | memoryview]:
    """The bytes of all slices in order, each waited for; `loaded` counts those that are read to their end.

    A slice of other rows than were exported is the last one, and `wrong`. It is not raised at once, because what COPY
    says of its bytes, such as an exception of ClickHouse among them, tells more.
    """
    for number in range(len(exporter.slices)):
        while (staged := exporter.wait(number)) is None:
            if stopped.is_set():
                return
        reader = exporter.form.read(exporter.staging.client, exporter.staging.bucket, staged.key)
        try:
            yield from reader
        except ValueOutOfRange as error:
            raise _unfit(
                target,
                error.column,
                loaded.rows + error.row + 1,
                types,
                f"{_OUT_OF_RANGE} {error}",
                _OUT_OF_RANGE,
            ) from error
        if reader.rows != staged.rows:
            where = f"s3://{exporter.staging.bucket}/{staged.key}"
            wrong.append(f"{where} holds {reader.rows} rows, {staged.rows} were exported")
            return
        loaded.rows += reader.rows
        loaded.bytes += reader.bytes
        loaded.staged_bytes += reader.compressed


def copy_error(error: psycopg.Error, target: str, types: dict[str, str]) -> StirError:
    """A failed COPY in words: which column, which line, what ClickHouse type it was."""
    state = error.sqlstate or ""
    match = _COPY_CONTEXT.search(error.diag.context or "")
    line = int(match[1]) if match else None
    column = (match[2] if match else None) or error.diag.column_name
    reason = (error.diag.message_primary or str(error)).strip()
    if state.startswith("23"):
        name = {"23502": "not null", "23514": "check constraint"}.get(state, "constraint")
        where = f" (line {line} of the export)" if line else ""
        return Refused(
            target,
            f"{name} {error.diag.constraint_name or column or ''}".strip(),
            reason + where,
            details={"column": column, "line": line, "constraint": error.diag.constraint_name},
        )
    if state.startswith("22"):
        if column is None:
            # An encoding error concerns a whole line, and PostgreSQL does not say which of its texts it was.
            texts = [name for name, kind in types.items() if "String" in kind]
            column = ", ".join(texts) or None
        return _unfit(target, column, line, types, f"{state} {reason}", state)
    return translate(error, f"{target}: COPY")


def _unfit(
    target: str, column: str | None, line: int | None, types: dict[str, str], reason: str, state: str
) -> TypeConversionError:
    remedy = {"remedy": _REMEDIES[state]} if state in _REMEDIES else {}
    kind = types.get(column or "")
    return TypeConversionError(
        target, column=column, line=line, clickhouse_type=kind, reason=reason, **remedy
    )


class ReadAhead:
    """Runs an iterator on a thread, a few items ahead, so that reading and decompressing overlap with COPY.

    `source` is given the event that says that nobody reads any more. Nothing for half a second comes out as an
    empty item.
    """

    def __init__(self, source: Callable[[threading.Event], Iterator[bytes | memoryview]]) -> None:
        self.source = source
        self.items: queue.Queue[bytes | memoryview | BaseException | None] = queue.Queue(maxsize=_READ_AHEAD)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._fill, name="read-ahead", daemon=True)

    def __enter__(self) -> Iterator[bytes | memoryview]:
        self.thread.start()
        return self._drain()

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        while self.thread.is_alive():
            try:
                self.items.get_nowait()
            except queue.Empty:
                self.thread.join(0.01)

    def _drain(self) -> Iterator[bytes | memoryview]:
        while True:
            try:
                item = self.items.get(timeout=0.5)
            except queue.Empty:
                yield b""
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _fill(self) -> None:
        try:
            for item in self.source(self.stopped):
                if self.stopped.is_set():
                    return
                self.items.put(item)
        except BaseException as error:
            self.items.put(error)
        else:
            self.items.put(None)
