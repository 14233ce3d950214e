"""Request bodies as byte streams: framing (length, chunked) and content encodings, read in constant memory.

Every reader ends with `b""` only when the body is complete; a body that breaks off raises `ClickHouseError`, so
that half an upload is never taken for a whole one.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import brotli
import lz4.frame
import zstandard

from stir_assets.local.clickhouse.errors import ClickHouseError, Code
from stir_assets.local.clickhouse.frames import CHECKSUM_BYTES, HEADER, decode_block, size_of_block

CHUNK = 256 << 10
_MAX_CHUNK_LINE = 8192


class Body(Protocol):
    """A request body: `read()` returns the next bytes, `b""` at its proper end."""

    def read(self) -> bytes:
        """The next bytes of any positive length; `b""` when the body is complete."""
        ...


class EmptyBody:
    """No body at all."""

    def read(self) -> bytes:
        return b""


class LengthBody:
    """A body of `Content-Length` bytes."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source = source
        self._left = length

    def read(self) -> bytes:
        if self._left == 0:
            return b""
        data = self._source.read1(min(CHUNK, self._left))  # type: ignore[attr-defined]
        if not data:
            raise _broken_off(f"{self._left} bytes of the body are missing")
        self._left -= len(data)
        return data


class ChunkedBody:
    """A body in HTTP/1.1 chunks; complete only after the zero-length chunk."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = 0
        self._done = False

    def read(self) -> bytes:
        if self._done:
            return b""
        if self._left == 0:
            self._next_chunk()
            if self._done:
                return b""
        data = self._source.read1(min(CHUNK, self._left))  # type: ignore[attr-defined]
        if not data:
            raise _broken_off("the chunk in flight is incomplete")
        self._left -= len(data)
        if self._left == 0 and self._source.readline(_MAX_CHUNK_LINE) not in (b"\r\n", b"\n"):
            raise _broken_off("a chunk does not end where its length says")
        return data

    def _next_chunk(self) -> None:
        line = self._source.readline(_MAX_CHUNK_LINE)
        try:
            self._left = int(line.split(b";", 1)[0].strip(), 16)
        except ValueError:
            raise _broken_off("no last chunk") from None
        if self._left == 0:
            while self._source.readline(_MAX_CHUNK_LINE) not in (b"\r\n", b"\n", b""):
                pass
            self._done = True


def _broken_off(detail: str) -> ClickHouseError:
    return ClickHouseError(
        Code.UNEXPECTED_END_OF_FILE,
        f"Unexpected end of the request body: {detail}; the client went away or sent less than it announced",
        "UNEXPECTED_END_OF_FILE",
    )


class _Decoder(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...


class _Brotli:
    """brotli's decoder with the interface of the standard library's."""

    def __init__(self) -> None:
        self._raw = brotli.Decompressor()
        self.unused_data = b""

    def decompress(self, data: bytes) -> bytes:
        return self._raw.process(data)

    @property
    def eof(self) -> bool:
        return self._raw.is_finished()


class _Deflate:
    """`deflate`: zlib-wrapped as the RFC says, or raw as some clients send it."""

    def __init__(self) -> None:
        self._raw: Any = None

    def decompress(self, data: bytes) -> bytes:
        if self._raw is None:
            wrapped = (data[0] & 0x0F) == 8 and len(data) > 1 and int.from_bytes(data[:2], "big") % 31 == 0
            self._raw = zlib.decompressobj() if wrapped else zlib.decompressobj(-zlib.MAX_WBITS)
        return self._raw.decompress(data)

    @property
    def eof(self) -> bool:
        return self._raw is not None and self._raw.eof

    @property
    def unused_data(self) -> bytes:
        return self._raw.unused_data if self._raw is not None else b""


_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": _Deflate,
    "br": _Brotli,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "xz": lzma.LZMADecompressor,
    "bz2": bz2.BZ2Decompressor,
}


class DecodedBody:
    """A body with its Content-Encoding taken off; several frames in a row are read as one."""

    def __init__(self, source: Body, encoding: str) -> None:
        if encoding not in _DECODERS:
            raise ClickHouseError(
                Code.UNKNOWN_COMPRESSION_METHOD,
                f"Unknown compression method {encoding} of the request body: "
                f"use one of {', '.join(sorted(_DECODERS))}",
            )
        self._source = source
        self._encoding = encoding
        self._new = _DECODERS[encoding]
        self._decoder: Any = None
        self._seen = False

    def read(self) -> bytes:
        while True:
            data = self._source.read()
            if not data:
                if self._decoder is not None and not self._decoder.eof:
                    raise self._failed("the compressed data ends before its end mark: it was cut short")
                return b""
            out = b"".join(self._decode(data))
            if out:
                return out

    def _decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._decoder is None or self._decoder.eof:
                self._decoder = self._new()
            try:
                yield self._decoder.decompress(data)
            except Exception as error:
                raise self._failed(str(error)) from None
            data = self._decoder.unused_data if self._decoder.eof else b""

    def _failed(self, why: str) -> ClickHouseError:
        return ClickHouseError(
            Code.CANNOT_DECOMPRESS, f"Cannot decompress the request body ({self._encoding}): {why}"
        )


class NativeFrames:
    """A body in ClickHouse's own compressed blocks (`decompress=1`)."""

    def __init__(self, source: Body) -> None:
        self._source = source
        self._buffer = b""

    def read(self) -> bytes:
        if not self._fill(CHECKSUM_BYTES + HEADER.size, at_start=True):
            return b""
        whole = size_of_block(self._buffer)
        self._fill(whole, at_start=False)
        block, self._buffer = self._buffer[:whole], self._buffer[whole:]
        return decode_block(block)

    def _fill(self, size: int, *, at_start: bool) -> bool:
        parts = [self._buffer]
        have = len(self._buffer)
        while have < size:
            data = self._source.read()
            if not data:
                if at_start and have == 0:
                    return False
                raise ClickHouseError(
                    Code.CANNOT_DECOMPRESS, "Cannot decompress the request body: it was cut short"
                )
            parts.append(data)
            have += len(data)
        self._buffer = b"".join(parts)
        return True
