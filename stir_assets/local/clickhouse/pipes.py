"""Running a statement whose rows come in or go out through a pipe that the engine opens as a file.

The engine reads `FROM INFILE '/dev/fd/N'` and writes `INTO OUTFILE '/dev/fd/N'` in every one of its formats, as
one continuous stream; with a pipe behind the name nothing larger than a buffer is ever in memory. (chdb's own
streaming calls serve less: `send_query` repeats headers in every block, so that it is used only where a client asks
for each block at once in a format without any; `send_insert` reports success with no rows written when
`max_execution_time` stops it.)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

from stir_assets.local.clickhouse.engine import Connection, Engine
from stir_assets.local.clickhouse.errors import ClickHouseError, Code

PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ; Python 3.11's fcntl knows it on Linux only
_PEER_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class ClientGone(Exception):
    """The client closed its connection while its query ran."""


def open_pipe() -> tuple[int, int]:
    """A pipe of 1 MiB if the system lets us, else of its default size."""
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(writer, _SET_PIPE_SIZE, PIPE_BYTES)
    return reader, writer


def uses_pipe(fd: int) -> str:
    """Condition on `system.processes` that finds the query which uses our pipe `fd`."""
    return f"position(query, '\\'/dev/fd/{fd}\\'') > 0"


def stop_query(
    engine: Engine,
    condition: str,
    future: Future[Any],
    *,
    patience: float = 60.0,
    once_marked: Callable[[], None] = lambda: None,
) -> None:
    """Kill the query for which `condition` on `system.processes` holds and wait until it has ended.

    `once_marked` is called when the engine has marked the query as killed. It has to close our end of a pipe: a
    query that waits for its input, or for room in its output, notices only when that ends, and an input that
    ended before the mark would be taken for whole.
    """
    deadline, marked = time.monotonic() + patience, False
    while not future.done() and time.monotonic() < deadline:
        if engine.kill(condition) and not marked:
            marked = True
            once_marked()
        with contextlib.suppress(Exception):
            future.result(timeout=0.02)


def run_command(
    engine: Engine, executor: Executor, client: socket.socket, condition: str, query: Callable[[], Any]
) -> Any:
    """Run `query()`, which has no result to stream, on a worker thread; returns its result.

    Stops it (`condition` finds it in `system.processes`) when the client goes away: `ClientGone`.
    """
    done, finished = os.pipe()

    def work() -> Any:
        try:
            return query()
        finally:
            os.close(finished)  # ends the waiting below

    future = executor.submit(work)
    poll = select.poll()
    poll.register(done, select.POLLIN)
    poll.register(client, _PEER_GONE)
    try:
        while not future.done():
            events = dict(poll.poll())
            if done in events:
                break
            if events.get(client.fileno(), 0) & _PEER_GONE:
                stop_query(engine, condition, future)
                raise ClientGone
    finally:
        os.close(done)
    return future.result()


def run_select(
    engine: Engine,
    executor: Executor,
    client: socket.socket,
    query: Callable[[int], Any],
    sink: Callable[[memoryview], None],
) -> Any:
    """Run `query(fd)` on a worker thread, passing what it writes to `sink` as it comes; returns its result.

    Stops the query when the client goes away (`ClientGone`) or `sink` fails.
    """
    reader, writer = open_pipe()

    def work() -> Any:
        try:
            return query(writer)
        finally:
            os.close(writer)

    future, unread = executor.submit(work), contextlib.ExitStack()
    unread.callback(os.close, reader)
    with unread:
        try:
            _pump(reader, client, sink)
        except BaseException:
            stop_query(engine, uses_pipe(writer), future, once_marked=unread.close)
            raise
    return future.result()


def _pump(reader: int, client: socket.socket, sink: Callable[[memoryview], None]) -> None:
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(client, _PEER_GONE)
    buffer = bytearray(PIPE_BYTES)
    view = memoryview(buffer)
    while True:
        for fd, event in poll.poll():
            if fd != reader:
                if event & _PEER_GONE:
                    raise ClientGone
                continue
            size = os.readv(reader, [view])
            if size == 0:
                return
            sink(view[:size])


def write_blocks(fd: int, blocks: Iterator[Any]) -> None:
    """Write a result into a pipe block by block, each as soon as the engine has made it."""
    for block in blocks:
        view = memoryview(block.bytes())
        while view:
            view = view[os.write(fd, view) :]


def run_insert(
    engine: Engine,
    executor: Executor,
    query: Callable[[int], Any],
    rows: Callable[[], bytes],
) -> Any:
    """Run `query(fd)` on a worker thread, feeding it from `rows()` until that returns `b""`; returns its result.

    If `rows` fails the query is killed before its input ends, so that a part of the rows is never taken for all.
    """
    reader, writer = open_pipe()

    def work() -> Any:
        try:
            return query(reader)
        finally:
            os.close(reader)  # wakes the feeding thread with EPIPE when the query ends early

    future = executor.submit(work)
    unread, end_input = False, contextlib.ExitStack()
    end_input.callback(os.close, writer)
    try:
        while data := rows():
            view = memoryview(data)
            while view:
                view = view[os.write(writer, view) :]
    except BrokenPipeError:
        unread = True
    except BaseException:
        stop_query(engine, uses_pipe(reader), future, once_marked=end_input.close)
        raise
    finally:
        end_input.close()
    result = future.result()
    if unread:
        raise ClickHouseError(
            Code.LOGICAL_ERROR, "The engine ended the INSERT before it had read all rows; check the table"
        )
    return result


def insert_small(connection: Connection, query: Callable[[int], Any], rows: bytes) -> Any:
    """`run_insert` for rows that fit into a pipe at once: no second thread."""
    reader, writer = os.pipe()
    try:
        os.write(writer, rows)
        os.close(writer)
        writer = -1
        return query(reader)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
