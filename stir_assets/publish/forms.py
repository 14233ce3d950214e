"""The forms in which rows are staged and copied: what ClickHouse writes, how it is read, what COPY is told.

Binary is the rule: ClickHouse writes Arrow, which costs it less than text, and PostgreSQL parses no number. A column
whose pair of types has no binary way (`wire`) takes the whole table to text, which has a way for every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import zstandard

from stir_assets.publish import encode
from stir_assets.publish.encode import Encoder
from stir_assets.publish.errors import IncompleteExport
from stir_assets.publish.staging import translated
from stir_assets.publish.types import EXPORT_SETTINGS
from stir_assets.publish.wire import Wire, boolean

_READ_SIZE = 1 << 20
_ARROW_SETTINGS: dict[str, str | int] = {
    **EXPORT_SETTINGS,
    # Three processor seconds a million rows less than zstd, for objects 60 % larger that live for seconds.
    "output_format_arrow_compression_method": "lz4_frame",
    "output_format_arrow_string_as_string": 0,  # bytes: PostgreSQL checks what is UTF-8
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
    # A batch is what a reader has to hold; by default an INSERT gathers a million rows.
    "max_block_size": 4096,
    "min_insert_block_size_rows": 4096,
    "min_insert_block_size_bytes": 2 << 20,
}


Chunk = bytes | memoryview


class Reader(Protocol):
    """One staged object as bytes for COPY; after the iteration its rows and sizes."""

    rows: int
    bytes: int
    compressed: int

    def __iter__(self) -> Iterator[Chunk]: ...


class Form(Protocol):
    """A form of staged rows."""

    name: str
    clickhouse: str
    """Name of ClickHouse's format."""
    suffix: str
    settings: dict[str, str | int]
    copy_options: str
    before: bytes
    """What COPY wants before the first row."""
    after: bytes

    @property
    def expressions(self) -> Sequence[str]:
        """What ClickHouse selects, in the order of `arrange`."""
        ...

    def arrange(self, columns: Sequence[str]) -> list[str]:
        """The columns of the table, given in the order of the declaration, in that of the expressions."""
        ...

    def with_condition(self, name: str, condition: str) -> Form:
        """The same with one more column at the end, a boolean of a ClickHouse condition."""
        ...

    def read(self, client: Any, bucket: str, key: str) -> Reader:
        """One staged object. The iteration raises IncompleteExport when it is missing or cut short."""
        ...


@dataclass(frozen=True)
class TextForm:
    """TabSeparated, which is COPY's text format."""

    expressions: Sequence[str]
    name = "text"
    clickhouse = "TabSeparated"
    suffix = "tsv.zst"
    settings = EXPORT_SETTINGS
    copy_options = "format text, encoding 'UTF8'"
    before = b""
    after = b""

    def arrange(self, columns: Sequence[str]) -> list[str]:
        """As they are."""
        return list(columns)

    def with_condition(self, name: str, condition: str) -> TextForm:
        """One more expression."""
        return TextForm([*self.expressions, f"if({condition}, 'true', 'false')"])

    def read(self, client: Any, bucket: str, key: str) -> Reader:
        """Decompressed text."""
        return TextReader(client, bucket, key)


class BinaryForm:
    """Arrow, encoded to COPY's binary format on the way."""

    name = "binary"
    clickhouse = "ArrowStream"
    suffix = "arrow"
    settings = _ARROW_SETTINGS
    copy_options = "format binary"
    before = encode.HEADER
    after = encode.TRAILER

    def __init__(self, wires: Sequence[Wire], extra: Sequence[Wire] = ()) -> None:
        # Numbers next to each other: they are encoded in one piece.
        self._order = sorted(range(len(wires)), key=lambda n: not wires[n].fixed)
        self._wires, self._extra = wires, extra

    @property
    def wires(self) -> list[Wire]:
        """The columns in the order of the export."""
        return [*(self._wires[n] for n in self._order), *self._extra]

    @property
    def expressions(self) -> Sequence[str]:
        """Of the wires."""
        return [wire.expression for wire in self.wires]

    def arrange(self, columns: Sequence[str]) -> list[str]:
        """Those of a fixed width first."""
        return [*(columns[n] for n in self._order), *columns[len(self._order) :]]

    def with_condition(self, name: str, condition: str) -> BinaryForm:
        """One more wire."""
        return BinaryForm(self._wires, [*self._extra, boolean(name, condition)])

    def read(self, client: Any, bucket: str, key: str) -> Reader:
        """Encoded rows."""
        return BinaryReader(client, bucket, key, wires=self.wires)


@dataclass
class _ObjectReader:
    """What both forms do with an object: open it, count, and see that it was read to its last byte."""

    client: Any
    bucket: str
    key: str
    compressed: int = 0
    bytes: int = 0
    rows: int = 0

    def _read(
        self, chunks: Callable[[Any], Generator[Chunk, None, str]], *broken: type[Exception]
    ) -> Iterator[Chunk]:
        """The chunks of the object's body. They return what is wrong with their end, if anything; `broken` are the
        errors by which they tell of a damaged object."""
        where = f"s3://{self.bucket}/{self.key}"
        with translated(f"reading {where}", *broken):
            reply = self.client.get_object(Bucket=self.bucket, Key=self.key)
            size = int(reply["ContentLength"])
            wrong = yield from chunks(reply["Body"])
            if self.compressed != size or wrong:
                raise IncompleteExport(
                    f"{where} is cut short: {self.compressed} of {size} bytes{wrong}; the publication was given up"
                )


@dataclass
class TextReader(_ObjectReader):
    """Zstandard text, decompressed in order. A row is a line."""

    def __iter__(self) -> Iterator[Chunk]:
        """Decompressed chunks. python-zstandard reports a cut stream as a clean end, so the frame's end is checked."""
        return self._read(self._decompressed, zstandard.ZstdError)

    def _decompressed(self, body: Any) -> Generator[Chunk, None, str]:
        decoder, finished, last = zstandard.ZstdDecompressor().decompressobj(), False, b""
        while data := body.read(_READ_SIZE):
            self.compressed += len(data)
            while data:
                if finished:
                    decoder, finished = zstandard.ZstdDecompressor().decompressobj(), False
                chunk = decoder.decompress(data)
                finished, data = decoder.eof, decoder.unused_data
                if chunk:
                    self.bytes += len(chunk)
                    self.rows += chunk.count(b"\n")
                    last = chunk[-1:]
                    yield chunk
        whole = (finished or self.compressed == 0) and last in (b"", b"\n")
        return "" if whole else f", {'whole' if finished else 'unfinished'} zstd frame"


@dataclass
class BinaryReader(_ObjectReader):
    """An Arrow stream, encoded for COPY BINARY batch by batch."""

    wires: Sequence[Wire] = ()

    def __iter__(self) -> Iterator[Chunk]:
        """Encoded parts. Raises `encode.ValueOutOfRange`, whose row counts within this object."""
        return self._read(self._encoded, pa.ArrowException, OSError)

    def _encoded(self, body: Any) -> Generator[Chunk, None, str]:
        encoder = Encoder(self.wires)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        with (
            _Counted(body, self) as counted,
            pa.ipc.open_stream(counted, options=options, memory_pool=encode.POOL) as batches,
        ):
            for batch in batches:
                for part in encoder.encode(batch):
                    self.bytes += len(part)
                    self.rows = encoder.rows
                    yield part
            self.rows = encoder.rows
            counted.read()  # the mark of the end
        return ""


class _Counted:
    """An S3 object's body as the file that Arrow reads; counts into its reader."""

    def __init__(self, body: Any, reader: BinaryReader) -> None:
        self._body, self._reader = body, reader
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data = self._body.read(size if size >= 0 else None)
        self._reader.compressed += len(data)
        return data

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
