"""The HTTP server: sockets, threads, routing. One thread per client connection, keep-alive, HTTP/1.1."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from stir_assets.errors import ConfigError
from stir_assets.local.clickhouse.body import (
    Body,
    ChunkedBody,
    DecodedBody,
    EmptyBody,
    LengthBody,
    NativeFrames,
)
from stir_assets.local.clickhouse.config import ServerOptions, claim_data_dir, write_engine_config
from stir_assets.local.clickhouse.engine import Engine
from stir_assets.local.clickhouse.errors import ClickHouseError, Code
from stir_assets.local.clickhouse.execute import Executor
from stir_assets.local.clickhouse.pipes import ClientGone
from stir_assets.local.clickhouse.request import Request, parse_params, read_form
from stir_assets.local.clickhouse.response import Response

logger = logging.getLogger(__name__)

_MAX_LINE = 1 << 20
_MAX_HEADERS = 200
_IDLE_SECONDS = 300
_DRAIN_BYTES = 64 << 20
_DRAIN_SECONDS = 5.0


class BadRequest(Exception):
    """The bytes on the socket are no HTTP request."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises `ConfigError` that says what is wrong with host or port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what uses the port or choose another one"
        ) from error
    return listener


class Server:
    """A running ClickHouse HTTP server on one data directory."""

    def __init__(self, options: ServerOptions) -> None:
        """Bind, lock the data directory and start the engine; raises `ConfigError`."""
        self.options = options
        self._listener = bind(options.host, options.port)
        try:
            self._lock = claim_data_dir(options.data_dir)
            self.engine = Engine(options.data_dir, write_engine_config(options))
        except BaseException:
            self._listener.close()
            raise
        self.port: int = self._listener.getsockname()[1]
        self.executor = Executor(self.engine, options)
        self._stopping = threading.Event()
        self._clients: set[socket.socket] = set()
        self._busy = 0
        self._state = threading.Condition()

    def serve_forever(self) -> None:
        """Accept connections until `stop`, then drain and close the engine."""
        threading.Thread(target=self._housekeeping, name="housekeeping", daemon=True).start()
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._stopping.is_set():
                    break
                time.sleep(0.05)  # out of descriptors, say
                continue
            threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()
        self._drain()

    def stop(self) -> None:
        """Stop accepting; `serve_forever` returns when running requests have ended. Safe in a signal handler."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _drain(self) -> None:
        deadline = time.monotonic() + self.options.drain_seconds
        with self._state:
            while self._busy and time.monotonic() < deadline:
                self._state.wait(0.1)
            if self._busy:
                logger.warning(
                    "%d queries still run after %.0f s: stopping them", self._busy, self.options.drain_seconds
                )
            clients = list(self._clients) if not self._busy else []
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self.executor.close()
        self.engine.close()

    def _housekeeping(self) -> None:
        while not self._stopping.wait(1.0):
            self.executor.sessions.expire()

    # ---- one client ------------------------------------------------------------------------------------

    def _serve_client(self, client: socket.socket) -> None:
        client.settimeout(_IDLE_SECONDS)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._state:
            self._clients.add(client)
        try:
            with client.makefile("rb", buffering=65536) as source:
                while not self._stopping.is_set() and self._serve_request(client, cast(BinaryIO, source)):
                    pass
        except (OSError, ClientGone, BadRequest):
            logger.debug("client connection ended", exc_info=True)
        except Exception:
            logger.exception("a request failed in the server")
        finally:
            with self._state:
                self._clients.discard(client)
            client.close()

    def _serve_request(self, client: socket.socket, source: BinaryIO) -> bool:
        """Serve one request; True if the connection can take another."""
        line = source.readline(_MAX_LINE + 1)
        if not line:
            return False
        if line in (b"\r\n", b"\n"):
            return True
        method, target, http11 = _request_line(line)
        headers = _read_headers(source)
        response = Response(client, head_only=method == "HEAD", http11=http11)
        response.keep_alive = _keep_alive(headers, http11)
        response.headers["X-ClickHouse-Server-Display-Name"] = self.options.display_name
        with self._state:
            self._busy += 1
        try:
            raw = _framed_body(source, headers)
            if headers.get("expect", "").lower() == "100-continue":
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._answer(Request(method, *_target(target), headers, raw), response, client)
            response.close()
            complete = _drained(raw)
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()
        return response.keep_alive and complete

    def _answer(self, request: Request, response: Response, client: socket.socket) -> None:
        try:
            self._route(request, response, client)
        except ClickHouseError as error:
            if response.begun:
                response.fail(error, self.engine.version)
                return
            if error.code == Code.REQUIRED_PASSWORD:
                response.headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
            if error.code == Code.UNEXPECTED_END_OF_FILE:
                response.keep_alive = False
            response.blocks = False  # an error instead of a result is plain text
            response.headers["X-ClickHouse-Exception-Code"] = str(error.code)
            response.headers["Content-Type"] = "text/plain; charset=UTF-8"
            response.headers.pop("X-ClickHouse-Format", None)
            response.send(error.status, error.message(self.engine.version).encode("utf-8", "surrogateescape"))

    def _route(self, request: Request, response: Response, client: socket.socket) -> None:
        if request.method not in ("GET", "POST", "HEAD"):
            response.send(501, b"There is no support for this HTTP method\n")
        elif request.path in ("/ping", "/replicas_status"):
            response.send(200, b"Ok.\n", {"Content-Type": "text/plain; charset=UTF-8"})
        elif request.path not in ("", "/", "/query"):
            text = f"There is no handle {request.path}\n\nUse / or /ping for health checks.\nOr /replicas_status for more sophisticated health checks.\nSend queries from your program with POST method or GET /?query=...\n"  # noqa: E501 - as the server says it
            response.send(404, text.encode(), {"Content-Type": "text/plain; charset=UTF-8"})
        elif request.method != "POST" and "query" not in request.params:
            response.send(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        else:
            self._query(request, response, client)

    def _query(self, request: Request, response: Response, client: socket.socket) -> None:
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding and encoding != "identity":
            request.body = DecodedBody(request.body, encoding)
        if request.flag("decompress"):
            request.body = NativeFrames(request.body)
        # Credentials first: nobody unknown makes us read or store a body.
        request.check_credentials(self.options.user, self.options.password)
        content_type = request.headers.get("content-type", "")
        if content_type.lower().startswith("multipart/form-data"):
            read_form(request, content_type, self.executor.spool_dir)
        self.executor.run(request, response, client)


def _request_line(line: bytes) -> tuple[str, str, bool]:
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(line[:100])
    return parts[0].upper(), parts[1], parts[2] != "HTTP/1.0"


def _target(target: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(target)
    return parts.path, parse_params(parts.query) if parts.query else {}


def _read_headers(source: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = source.readline(_MAX_LINE)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(":")
        if not colon:
            raise BadRequest(line[:100])
        headers[name.strip().lower()] = value.strip()
    raise BadRequest("too many headers")


def _keep_alive(headers: dict[str, str], http11: bool) -> bool:
    connection = headers.get("connection", "").lower()
    return "close" not in connection and (http11 or "keep-alive" in connection)


def _framed_body(source: BinaryIO, headers: dict[str, str]) -> Body:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return ChunkedBody(source)
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequest(f"Content-Length: {length}")
    return LengthBody(source, int(length)) if int(length) else EmptyBody()


def _drained(body: Body) -> bool:
    """Read what is left of a body, within limits, so that the client can finish sending and read our answer."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    total = 0
    try:
        while data := body.read():
            total += len(data)
            if total > _DRAIN_BYTES or time.monotonic() > deadline:
                return False
    except (ClickHouseError, OSError):
        return False
    return True
