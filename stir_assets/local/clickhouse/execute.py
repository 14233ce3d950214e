"""Running one request against the engine and answering it."""

from __future__ import annotations

import contextlib
import functools
import re
import socket
import tempfile
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from stir_assets.local.clickhouse import pipes
from stir_assets.local.clickhouse.body import EmptyBody
from stir_assets.local.clickhouse.config import ServerOptions
from stir_assets.local.clickhouse.engine import Connection, Engine
from stir_assets.local.clickhouse.errors import ClickHouseError, Code
from stir_assets.local.clickhouse.progress import Progress, Watch
from stir_assets.local.clickhouse.request import ExternalTable, Request
from stir_assets.local.clickhouse.response import Response, choose_encoding, content_type
from stir_assets.local.clickhouse.result import BUFFER_BYTES, Sink, summary
from stir_assets.local.clickhouse.sessions import Sessions
from stir_assets.local.clickhouse.sql import (
    Insert,
    Kind,
    Statement,
    classify,
    output_clauses,
    quote,
    quote_name,
    tokens,
)

_SMALL_INSERT_BYTES = 60_000  # fits a pipe of the default size
_MAX_QUERY_BYTES = 256 << 20
_SEEKING_FORMATS = frozenset({b"parquet", b"orc", b"arrow", b"arrowstream", b"npy", b"parquetmetadata"})
# Formats whose blocks can be joined: no beginning and no end around all rows.
_JOINABLE_FORMATS = frozenset(
    (
        *(b"native", b"rowbinary", b"tabseparated", b"tsv", b"tabseparatedraw", b"tsvraw", b"csv"),
        *(b"jsoneachrow", b"jsonlines", b"ndjson", b"jsoncompacteachrow"),
    )
)
_LONG_COMMANDS = frozenset((b"INSERT", b"CREATE", b"WITH", b"ALTER", b"OPTIMIZE", b"DELETE", b"UPDATE"))
_KNOWN_IDS = 10_000
_ABOUT_QUERIES = re.compile(rb"\bquery_id\b", re.IGNORECASE)


@dataclass
class Context:
    """What the steps of one request share."""

    request: Request
    response: Response
    client: socket.socket
    connection: Connection
    watch: Watch


class Executor:
    """Runs requests; owns the sessions, the worker threads and the registry of running queries."""

    def __init__(self, engine: Engine, options: ServerOptions) -> None:
        self.engine = engine
        self.options = options
        self._progress = Progress(engine)
        self.sessions = Sessions(engine, options.default_session_timeout, options.max_session_timeout)
        self._workers = ThreadPoolExecutor(options.max_concurrent_queries + 8, thread_name_prefix="query")
        self._slots = threading.BoundedSemaphore(options.max_concurrent_queries)
        self._running: set[str] = set()
        self._client_ids: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self.spool_dir = options.data_dir / "tmp"

    # ---- one request ---------------------------------------------------------------------------------

    def run(self, request: Request, response: Response, client: socket.socket) -> None:
        """Run the request's query and send the response; raises `ClickHouseError` before any header is sent."""
        given_id = request.params.get("query_id") or request.headers.get("x-clickhouse-query-id") or ""
        query_id = given_id or str(uuid.uuid4())
        response.headers["X-ClickHouse-Query-Id"] = query_id
        zone = request.params.get("session_timezone") or self.engine.timezone
        response.headers["X-ClickHouse-Timezone"] = zone
        if request.flag("enable_http_compression"):
            response.encoding = choose_encoding(request.headers.get("accept-encoding", ""))
            level = request.params.get("http_zlib_compression_level", "3")
            response.level = min(9, max(1, int(level))) if level.isdigit() else 3
        response.blocks = request.flag("compress")
        with (
            self._registered(query_id, bool(given_id)),
            self._progress.watch(request, response) as watch,
            self._slots,
            self._connection(request) as connection,
        ):
            settings = request.settings
            if given_id:
                # How a query is found in system.processes and system.query_log by the client's id.
                settings.setdefault("log_comment", given_id)
            settings.pop("readonly", None)
            connection.prepare(request.database, settings, request.params.get("role"))
            context = Context(request, response, client, connection, watch)
            with self._external_tables(context):
                self._run_statement(context)

    @contextlib.contextmanager
    def _registered(self, query_id: str, given: bool) -> Iterator[None]:
        with self._lock:
            if query_id in self._running:
                raise ClickHouseError(
                    Code.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
                    f"Query with id = {query_id} is already running.",
                )
            self._running.add(query_id)
            if given:
                self._client_ids[query_id] = None
                if len(self._client_ids) > _KNOWN_IDS:
                    self._client_ids.popitem(last=False)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(query_id)

    @contextlib.contextmanager
    def _connection(self, request: Request) -> Iterator[Connection]:
        session_id = request.params.get("session_id")
        if session_id:
            timeout = self.sessions.timeout(request.params.get("session_timeout"))
            with self.sessions.use(
                session_id, timeout, check=request.params.get("session_check") == "1"
            ) as held:
                yield held
            if request.flag("close_session"):
                self.sessions.drop(session_id)
            return
        connection = self.engine.connect()
        try:
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def _external_tables(self, context: Context) -> Iterator[None]:
        created: list[str] = []
        try:
            for table in context.request.external:
                self._create_external(context.connection, table)
                created.append(table.name)
            yield
        finally:
            for table in context.request.external:
                table.rows.close()
            for name in created:
                with contextlib.suppress(ClickHouseError):
                    context.connection.query(f"DROP TEMPORARY TABLE IF EXISTS {quote_name(name)}")

    def _create_external(self, connection: Connection, table: ExternalTable) -> None:
        name = quote_name(table.name)
        connection.query(f"CREATE TEMPORARY TABLE {name} ({table.structure})")
        insert = Insert(f"INSERT INTO {name}".encode(), b"", table.fmt.encode(), 0)
        self._feed(connection, insert, b"", lambda: table.rows.read(BUFFER_BYTES), {})

    def _run_statement(self, context: Context) -> None:
        request = context.request
        window, eof = self._read_statement(request)
        statement = classify(window, complete=eof)
        if statement.kind is Kind.INSERT and statement.insert is not None:
            self._check_writable(request, window, known_write=True)
            self._insert(context, window, statement.insert)
            return
        if not statement.word:
            raise ClickHouseError(
                Code.SYNTAX_ERROR, "Syntax error: failed at position 1 (end of query): Empty query"
            )
        clauses = output_clauses(window)
        if clauses.into_outfile:
            raise ClickHouseError(Code.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
        kind = statement.kind
        if b";" in clauses.body or statement.word == b"WITH":
            kind = self._checked_kind(context, window, statement)
        self._check_writable(request, window, known_write=False)
        sql = self._with_engine_ids(window)
        if kind is Kind.STREAM:
            self._select(context, sql)
        else:
            self._command(context, statement, kind, sql)

    def _read_statement(self, request: Request) -> tuple[bytes, bool]:
        """The statement, whole unless it is an INSERT with rows behind it, and whether the body has ended."""
        query = request.params.get("query", "").encode("utf-8", "surrogateescape")
        parts = [query + b"\n"] if query and not isinstance(request.body, EmptyBody) else [query]
        size = len(parts[0])
        grown = 0
        while data := request.body.read():
            parts.append(data)
            size += len(data)
            # Look again only when the window has doubled: classifying a long query stays linear.
            if size >= 2 * grown:
                window = b"".join(parts)
                parts, grown = [window], size
                statement = classify(window, complete=False)
                if statement.kind is Kind.INSERT and not statement.needs_more:
                    return window, False
            if size > _MAX_QUERY_BYTES:
                raise ClickHouseError(
                    Code.QUERY_IS_TOO_LARGE, f"Query is too large (over {_MAX_QUERY_BYTES} bytes)"
                )
        return b"".join(parts), True

    def _checked_kind(self, context: Context, sql: bytes, statement: Statement) -> Kind:
        what, count = self.engine.statement_class(sql)
        if count > 1:
            raise ClickHouseError(
                Code.SYNTAX_ERROR,
                "Syntax error (Multi-statements are not allowed): one statement per request",
            )
        return (
            Kind.COMMAND if statement.kind is Kind.STREAM and what.startswith("MUTATING") else statement.kind
        )

    def _check_writable(self, request: Request, sql: bytes, *, known_write: bool) -> None:
        asked = request.params.get("readonly", "0")
        if request.method != "GET" and asked in ("", "0"):
            return
        if known_write or self.engine.statement_class(sql)[0].startswith("MUTATING"):
            why = (
                " For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries."
                if request.method == "GET"
                else ""
            )
            raise ClickHouseError(Code.READONLY, f"Cannot execute query in readonly mode.{why}")

    # ---- query ids -----------------------------------------------------------------------------------

    def _with_engine_ids(self, sql: bytes) -> bytes:
        """Put the engine's own query id where the text names a client's (KILL QUERY, system.query_log...)."""
        if not self._client_ids or not _ABOUT_QUERIES.search(sql):
            return sql
        out, at = [], 0
        for token in tokens(sql):
            if token.kind != "string":
                continue
            client_id = token.text[1:-1].decode("utf-8", "replace")
            if client_id in self._client_ids and (engine_id := self.engine_query_id(client_id)):
                out += [sql[at : token.start], quote(engine_id).encode()]
                at = token.end
        return b"".join([*out, sql[at:]])

    def _params(self, request: Request, sql: bytes) -> dict[str, str]:
        """Values of the placeholders; in a statement about queries with the engine's own ids for a client's."""
        params = request.query_params
        if not params or not _ABOUT_QUERIES.search(sql):
            return params
        for name, value in params.items():
            if value in self._client_ids and (engine_id := self.engine_query_id(value)):
                params[name] = engine_id
        return params

    def engine_query_id(self, client_id: str) -> str:
        """The engine's id of a query that is running or was logged under a client's id; empty if none."""
        marked = f"log_comment = {quote(client_id)}"
        running = f"SELECT query_id FROM system.processes WHERE Settings['log_comment'] = {quote(client_id)} LIMIT 1"
        found = self.engine.scalar(running)
        if found:
            return found
        with contextlib.suppress(ClickHouseError):
            self.engine.control("SYSTEM FLUSH LOGS")
            return self.engine.scalar(
                f"SELECT query_id FROM system.query_log WHERE {marked} AND query NOT ILIKE 'SET %' "
                "ORDER BY event_time_microseconds DESC LIMIT 1"
            )
        return ""

    # ---- statements ----------------------------------------------------------------------------------

    def _command(self, context: Context, statement: Statement, kind: Kind, sql: bytes) -> None:
        """Statements with a small result or none."""
        request, connection = context.request, context.connection
        fmt = request.default_format
        if kind is Kind.OUTPUT:
            named = output_clauses(sql).fmt
            shown = named.decode() if named else fmt
            context.response.headers["X-ClickHouse-Format"] = shown
            context.response.headers["Content-Type"] = content_type(shown)
        if statement.word in _LONG_COMMANDS:
            result = self._stoppable(context, sql, fmt)
        else:
            result = connection.query(sql, fmt, self._params(request, sql))
        if request.params.get("session_id") and statement.word in (b"SET", b"USE"):
            connection.note_statement(statement.word, sql)
        self._finish(context, result.bytes() if kind is Kind.OUTPUT else b"", result)

    def _stoppable(self, context: Context, sql: bytes, fmt: str) -> Any:
        """Run a statement that can take long, so that it ends when its client goes away."""
        mark = f"/* {uuid.uuid4()} */"
        text = b"%s\n%s" % (sql, mark.encode())
        context.watch.condition = f"position(query, {quote(mark)}) > 0"
        try:
            return pipes.run_command(
                self.engine,
                self._workers,
                context.client,
                context.watch.condition,
                lambda: context.connection.query(text, fmt, self._params(context.request, sql)),
            )
        except ClickHouseError as error:
            # Said about the client's text, not about the one with our mark in it.
            raise ClickHouseError(error.code, error.text.replace(f"\n{mark}", ""), error.name) from None

    def _select(self, context: Context, sql: bytes) -> None:
        """A query with a result of any size, streamed through a pipe."""
        request, response, connection = context.request, context.response, context.connection
        clauses = output_clauses(sql)
        fmt = clauses.fmt or request.default_format.encode()
        response.headers["X-ClickHouse-Format"] = fmt.decode()
        response.headers["Content-Type"] = content_type(fmt.decode())
        params = self._params(request, sql)
        # "Send at once" said in so many words: a client that waits for each block, not for the throughput.
        at_once = request.params.get("wait_end_of_query") == "0" and fmt.lower() in _JOINABLE_FORMATS

        def query(fd: int) -> Any:
            context.watch.condition = pipes.uses_pipe(fd)
            if at_once:
                text = b"%s\nFORMAT %s%s /* '/dev/fd/%d' */" % (clauses.body, fmt, clauses.tail, fd)
                with contextlib.closing(connection.blocks(text, fmt.decode(), params)) as blocks:
                    return pipes.write_blocks(fd, blocks)
            text = b"%s\nINTO OUTFILE '/dev/fd/%d' APPEND FORMAT %s%s" % (clauses.body, fd, fmt, clauses.tail)
            return connection.query(text, "TabSeparated", params)

        wait = request.flag("wait_end_of_query") or request.flag("http_wait_end_of_query")
        hold = 1 if at_once else BUFFER_BYTES
        figures = functools.partial(self._progress.figures, context.watch)
        with Sink(response, self.spool_dir, hold=hold, wait=wait, figures=figures) as sink:
            try:
                result = pipes.run_select(self.engine, self._workers, context.client, query, sink.take)
            except ClickHouseError as error:
                if response.begun:
                    response.fail(error, self.engine.version)
                    return
                if error.code == Code.SYNTAX_ERROR:
                    # Say it about the client's text, not about the text with our pipe in it.
                    connection.query(sql, "TabSeparated", params)
                raise
            if response.begun:
                response.end()
                return
            if result is not None:
                response.headers["X-ClickHouse-Summary"] = summary(result)
            sink.send_all()

    def _insert(self, context: Context, window: bytes, insert: Insert) -> None:
        request = context.request
        result = self._feed(
            context.connection,
            insert,
            window[insert.data_start :],
            request.body.read,
            request.query_params,
            context.watch,
        )
        self._finish(context, b"", result)

    def _feed(
        self,
        connection: Connection,
        insert: Insert,
        rows: bytes,
        more: Any,
        params: dict[str, str],
        watch: Watch | None = None,
    ) -> Any:
        """Insert `rows` and what `more()` returns until it returns `b""`."""

        def query(path: str) -> Any:
            if watch is not None:
                watch.condition = f"position(query, {quote(quote(path))}) > 0"
            return connection.query(_insert_text(insert, path), "TabSeparated", params)

        def query_fd(fd: int) -> Any:
            return query(f"/dev/fd/{fd}")

        parts, size, data = [rows], len(rows), b"?"
        while size <= _SMALL_INSERT_BYTES and (data := more()):
            parts.append(data)
            size += len(data)
        rows = b"".join(parts)
        if size <= _SMALL_INSERT_BYTES:
            result = pipes.insert_small(connection, query_fd, rows)
        elif insert.fmt.lower() in _SEEKING_FORMATS:
            with tempfile.NamedTemporaryFile(dir=self.spool_dir, prefix="insert-") as spool:
                spool.write(rows)
                while data := more():
                    spool.write(data)
                spool.flush()
                result = query(spool.name)
        else:
            first = iter([rows])
            result = pipes.run_insert(
                self.engine, self._workers, query_fd, lambda: next(first, None) or more()
            )
        if result.rows_written() < result.rows_read():
            raise ClickHouseError(
                Code.LOGICAL_ERROR,
                f"INSERT read {result.rows_read()} rows and wrote {result.rows_written()}; check the table",
            )
        return result

    def _finish(self, context: Context, body: bytes, result: Any) -> None:
        context.response.headers.setdefault("Content-Type", "text/plain; charset=UTF-8")
        context.response.headers["X-ClickHouse-Summary"] = summary(result)
        context.response.send(200, body)

    def close(self) -> None:
        """End sessions and worker threads."""
        self._progress.close()
        self.engine.kill("1")
        self._workers.shutdown(wait=True, cancel_futures=True)
        self.sessions.close()


def _insert_text(insert: Insert, path: str) -> bytes:
    """The INSERT with its rows taken from a file."""
    name = quote(path).encode()
    if insert.input_span is not None:
        begin, end = insert.input_span
        source = b"file(%s, %s, " % (name, quote(insert.fmt.decode()).encode())
        return insert.head[:begin] + source + insert.head[end:]
    return b"%s\nFROM INFILE %s COMPRESSION 'none' %s FORMAT %s" % (
        insert.head,
        name,
        insert.settings,
        insert.fmt,
    )
