"""Writing responses: headers, compression, chunks, and what ClickHouse sends when a query fails half way."""

from __future__ import annotations

import contextlib
import functools
import secrets
import select
import socket
import threading
import zlib
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

import brotli
import lz4.frame
import zstandard

from stir_assets.local.clickhouse.errors import ClickHouseError
from stir_assets.local.clickhouse.frames import FrameEncoder

_CONTENT_TYPES = {
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "XML": "application/xml; charset=UTF-8",
    "Markdown": "text/markdown; charset=UTF-8",
    "Values": "text/plain; charset=UTF-8",
    "Vertical": "text/plain; charset=UTF-8",
}


def content_type(fmt: str) -> str:
    """The media type ClickHouse sends for an output format."""
    if fmt in _CONTENT_TYPES:
        return _CONTENT_TYPES[fmt]
    if fmt.startswith(("TabSeparated", "TSV")):
        return _CONTENT_TYPES["TSV"]
    if fmt.startswith("JSON"):
        return _CONTENT_TYPES["JSONEachRow" if "EachRow" in fmt else "JSON"]
    if fmt.startswith("Pretty"):
        return "text/plain; charset=UTF-8"
    return "application/octet-stream"


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Lz4:
    def __init__(self) -> None:
        self._raw = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        begin = b"" if self._begun else self._raw.begin()
        self._begun = True
        return begin + self._raw.compress(data)

    def flush(self) -> bytes:
        begin = b"" if self._begun else self._raw.begin()
        return begin + self._raw.flush()


class _Brotli:
    def __init__(self, level: int) -> None:
        self._raw = brotli.Compressor(quality=level)

    def compress(self, data: bytes) -> bytes:
        return self._raw.process(data)

    def flush(self) -> bytes:
        return self._raw.finish()


# In the order of our preference, cheapest first: everything is on one machine.
_ENCODINGS = ("lz4", "zstd", "gzip", "deflate", "br")


def choose_encoding(accept: str) -> str | None:
    """The Content-Encoding to answer with, from an Accept-Encoding header; None for identity."""
    offered = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return next((name for name in _ENCODINGS if name in offered), None)


def new_encoder(encoding: str, level: int) -> Any:
    """A streaming compressor; `level` as in `http_zlib_compression_level` (1 to 9)."""
    if encoding == "lz4":
        return _Lz4()
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=min(level, 3)).compressobj()
    if encoding == "gzip":
        return zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    if encoding == "deflate":
        return zlib.compressobj(level)
    return _Brotli(level)


class Response:
    """One response on a client's socket. `begin` chooses between a known length and chunks.

    What ends the response goes with `close`, when nothing of the request is held any more: a client that has read it
    may send its next query, in the same session or under the same id, at once.
    """

    def __init__(self, connection: socket.socket, *, head_only: bool, http11: bool) -> None:
        self._socket = connection
        self._head_only = head_only
        self._http11 = http11
        self._encoders: list[_Encoder] = []
        self._chunked = False
        self._status_sent = False
        self._last: Callable[[], None] | None = None
        self._head_lock = threading.Lock()
        self.begun = False
        self.keep_alive = http11
        self.encoding: str | None = None
        self.blocks = False  # ClickHouse's own compressed blocks, inside the encoding
        self.level = 3
        self.headers: dict[str, str] = {}

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A whole response, sent by `close`."""
        if headers:
            self.headers.update(headers)
        if body:
            self._prepare_encoders()
            body = self._encoded(body) + self._encoded_end()
        self.headers["Content-Length"] = str(len(body))
        self._last = functools.partial(self._send_head, status, b"" if self._head_only else body)

    @property
    def headers_open(self) -> bool:
        """Whether a line of progress may still be sent."""
        return not (self.begun or self._head_only)

    def send_progress(self, figures: str) -> None:
        """Send a line of progress, unless the headers are complete. Safe from another thread.

        The first one takes the status line with it, so that the status is 200 whatever happens later; an error then
        shows by its `X-ClickHouse-Exception-Code`. All other headers follow when the result or the error is known.
        """
        line = f"X-ClickHouse-Progress: {figures}\r\n"
        # A client that is gone, or its closed socket, is the business of whoever runs its statement.
        with self._head_lock, contextlib.suppress(OSError, ValueError):
            if not self.headers_open or not self._writable():
                return
            if not self._status_sent:
                line = f"HTTP/1.1 200 OK\r\n{line}"
            self._status_sent = True
            self._socket.sendall(line.encode())

    def _writable(self) -> bool:
        """Whether a short line can be sent without waiting for a client that does not read."""
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(0))

    def begin(self, status: int, length: int | None = None) -> None:
        """Send the headers of a streamed response."""
        self._prepare_encoders()
        if self._encoders:
            length = None
        if length is not None:
            self.headers["Content-Length"] = str(length)
        elif self._http11:
            self._chunked = True
            self.headers["Transfer-Encoding"] = "chunked"
        else:
            self.keep_alive = False
        self._send_head(status)

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        self._put(self._encoded(data))

    def _prepare_encoders(self) -> None:
        if self.blocks:
            self._encoders.append(FrameEncoder())
        if self.encoding:
            self._encoders.append(new_encoder(self.encoding, self.level))
            self.headers["Content-Encoding"] = self.encoding

    def _encoded(self, data: bytes) -> bytes:
        for encoder in self._encoders:
            data = encoder.compress(data)
        return data

    def _encoded_end(self) -> bytes:
        data = b""
        for encoder in self._encoders:
            data = encoder.compress(data) + encoder.flush()
        return data

    def end(self) -> None:
        """Finish a streamed body; its end is sent by `close`."""
        self._last = functools.partial(self._send_end, self._encoded_end())

    def _send_end(self, data: bytes) -> None:
        self._put(data)
        if self._chunked and not self._head_only:
            self._socket.sendall(b"0\r\n\r\n")

    def close(self) -> None:
        """Send what ends the response, once."""
        last, self._last = self._last, None
        if last is not None:
            last()

    def fail(self, error: ClickHouseError, version: str) -> None:
        """Report an error after the headers have gone: the tagged block, then a body that never ends properly.

        Clients that know `X-ClickHouse-Exception-Tag` read the block; to all others the transfer is broken,
        so that nobody takes a part of a result for the whole.
        """
        tag = self.headers.get("X-ClickHouse-Exception-Tag", "")
        text = error.message(version).encode()
        block = b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (
            tag.encode(),
            text,
            len(text),
            tag.encode(),
        )
        self._last = None
        self.write(block)
        self._put(self._encoded_end())
        self.keep_alive = False

    def _put(self, data: bytes) -> None:
        if not data or self._head_only:
            return
        if not self._chunked:
            self._socket.sendall(data)
        elif len(data) < 65536:
            self._socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        else:
            self._socket.sendall(b"%x\r\n" % len(data))
            self._socket.sendall(data)
            self._socket.sendall(b"\r\n")

    def _send_head(self, status: int, body: bytes = b"") -> None:
        self.headers["Connection"] = "Keep-Alive" if self.keep_alive else "Close"
        if self.keep_alive:
            self.headers["Keep-Alive"] = "timeout=300"
        lines = [f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        with self._head_lock:
            self.begun = True  # from here on no line of progress can come in between
        if not self._status_sent:
            lines.insert(0, f"HTTP/1.1 {status} {HTTPStatus(status).phrase}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        self._socket.sendall(head + body)


def new_exception_tag() -> str:
    """A random mark of 16 letters that ends a result when a query fails half way."""
    return secrets.token_hex(8)
