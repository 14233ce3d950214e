"""Arrow record batches -> PostgreSQL's binary COPY format, by whole columns.

The format (PostgreSQL's documentation, COPY, "Binary Format"): a row is the number of its fields, then for each field
its length, or -1 for NULL, and that many bytes; numbers are big-endian. All fields of a fixed width that stand next to
each other are written into one array of records; texts are joined in between. No value is touched by Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from stir_assets.publish.wire import NUMBERS, OIDS, Wire

pc: Any = pyarrow.compute  # its functions are made at run time
POOL = pa.system_memory_pool()  # the default one keeps what it has once had
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
# What is put together at a time: enough for the work of whole columns, little enough for a processor's cache.
_JOINED_BYTES = 1 << 20


class ValueOutOfRange(Exception):
    """A number that its PostgreSQL type cannot hold; `row` counts from 0."""

    def __init__(self, wire: Wire, row: int, value: int) -> None:
        super().__init__(f'value "{value}" is out of range for type {wire.pg_type}')
        self.column = wire.column
        self.row = row


@dataclass
class Encoder:
    """Encodes batches whose columns are those of `wires`, in their order."""

    wires: Sequence[Wire]
    rows: int = 0
    """Rows encoded so far."""

    def encode(self, batch: pa.RecordBatch) -> Iterator[memoryview]:
        """The batch's rows, in parts of about a megabyte. Raises ValueOutOfRange."""
        step = max(1, batch.num_rows * _JOINED_BYTES // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, step):
            part = batch.slice(start, step)
            pieces = _Pieces(part.num_rows)
            pieces.add(">i2", len(self.wires))
            for wire, values in zip(self.wires, part.columns, strict=True):
                try:
                    _field(pieces, wire, values)
                except ValueOutOfRange as error:
                    error.row += self.rows
                    raise
            yield pieces.bytes()
            self.rows += part.num_rows


class _Pieces:
    """What is joined to rows: numbers of a fixed width gather in one block until a text comes."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.pending: list[tuple[str, Any]] = []
        self.joined: list[pa.Array] = []

    def add(self, kind: str, values: Any) -> None:
        """A number for each row, or one for all."""
        self.pending.append((kind, values))

    def put(self, values: pa.Array) -> None:
        """Bytes for each row."""
        self._flush()
        self.joined.append(values)

    def _flush(self) -> None:
        if self.pending:
            self.joined.append(block(self.rows, self.pending))
            self.pending = []

    def array(self) -> pa.Array:
        """The rows, one value each."""
        self._flush()
        return (
            self.joined[0]
            if len(self.joined) == 1
            else pc.binary_join_element_wise(*self.joined, _EMPTY, memory_pool=POOL)
        )

    def bytes(self) -> memoryview:
        """The rows one after the other."""
        rows = self.array()
        ends = offsets(rows)
        return memoryview(rows.buffers()[2])[ends[0] : ends[-1]]


def block(rows: int, fields: Sequence[tuple[str, Any]]) -> pa.Array:
    """Records of numbers, each as the bytes of one value."""
    made = np.empty(rows, _record(tuple(kind for kind, _ in fields)))
    for name, (_, values) in zip(made.dtype.names or (), fields, strict=True):
        made[name] = values
    ends = np.arange(rows + 1, dtype=np.int32) * made.itemsize
    return _binary(ends, pa.py_buffer(made))


@cache
def _record(kinds: tuple[str, ...]) -> np.dtype:
    return np.dtype([(f"f{n}", kind) for n, kind in enumerate(kinds)])


def _binary(ends: np.ndarray, data: pa.Buffer) -> pa.Array:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends, np.int32)), data]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, buffers)


def _mask(truths: np.ndarray) -> pa.Array:
    bits = pa.py_buffer(np.packbits(truths, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(truths), [None, bits])


def _value(data: bytes) -> pa.Scalar:
    """Not `pa.scalar`, nor `pa.array`: at their first use they import pandas, where there is one, for 40 MB."""
    return _binary(np.array([0, len(data)]), pa.py_buffer(data))[0]


_EMPTY, _NULL = _value(b""), _value(b"\xff\xff\xff\xff")
_FLOATS = {"float": "float32", "double": "float64"}


def offsets(values: pa.Array) -> np.ndarray:
    """Where each value of a binary array begins, and the last one ends."""
    found = np.frombuffer(values.buffers()[1], np.int32)
    return found[values.offset : values.offset + len(values) + 1]


def _numbers(values: pa.Array) -> np.ndarray:
    """The values of an array of fixed width as they lie; anything where there is no value."""
    kind = values.type
    width = (
        f"V{kind.byte_width}" if pa.types.is_fixed_size_binary(kind) else _FLOATS.get(str(kind), str(kind))
    )
    return np.frombuffer(values.buffers()[1], width)[values.offset : values.offset + len(values)]


def _field(pieces: _Pieces, wire: Wire, values: pa.Array) -> None:
    """One field of every row: its length, or NULL's, and its bytes."""
    if wire.array:
        _list(pieces, wire, values)
        return
    if wire.pg_type in NUMBERS:
        kind = NUMBERS[wire.pg_type]
        width, numbers = np.dtype(kind).itemsize, _numbers(values)
        _check_range(wire, values, numbers)
        if not values.null_count:
            pieces.add(">i4", width)
            pieces.add(kind, numbers)
        else:
            whole = block(len(values), [(">i4", width), (kind, numbers)])
            pieces.put(_or_null(values, whole))
        return
    version = [("u1", 1)] if wire.pg_type == "jsonb" else []  # of jsonb's binary form; the rest is its text
    lengths = np.diff(offsets(values)) + len(version)
    if not values.null_count:
        pieces.add(">i4", lengths)
        for kind, number in version:
            pieces.add(kind, number)
        pieces.put(values)
        return
    head = block(len(values), [(">i4", lengths), *version])
    pieces.put(_or_null(values, head))
    pieces.put(pc.coalesce(values, _EMPTY, memory_pool=POOL))


def _or_null(values: pa.Array, encoded: pa.Array) -> pa.Array:
    """What was encoded, and a NULL's length where there is no value."""
    valid = pc.is_valid(values, memory_pool=POOL)
    return pc.if_else(valid, encoded, _NULL, memory_pool=POOL)


def _check_range(wire: Wire, values: pa.Array, numbers: np.ndarray) -> None:
    """Integers are delivered as wide as ClickHouse has them."""
    limits = _narrower(numbers.dtype, NUMBERS[wire.pg_type])
    if limits is None:
        return
    ends = pc.min_max(values).as_py()
    if ends["min"] is None or (limits.min <= ends["min"] and ends["max"] <= limits.max):
        return
    for row, value in enumerate(values.to_pylist()):
        if value is not None and not limits.min <= value <= limits.max:
            raise ValueOutOfRange(wire, row, value)


@cache
def _narrower(held: np.dtype, wanted: str) -> np.iinfo | None:
    """The limits of an integer type that cannot hold all of another one."""
    if held.kind not in "iu" or np.dtype(wanted).kind != "i":
        return None
    limits, all_of = np.iinfo(wanted), np.iinfo(held)
    return None if limits.min <= all_of.min and all_of.max <= limits.max else limits


def _list(pieces: _Pieces, wire: Wire, values: pa.ListArray) -> None:
    """An array (src/backend/utils/adt/arrayfuncs.c, array_recv): dimensions, whether it may hold NULLs, the type of its
    elements; if it is not empty its size and first index; then the elements as fields."""
    ends = np.asarray(values.offsets)
    elements = values.values.slice(int(ends[0]), int(ends[-1] - ends[0]))
    inside = _Pieces(len(elements))
    try:
        _field(inside, Wire(wire.column, "", wire.pg_type), elements)
    except ValueOutOfRange as error:
        error.row = int(np.searchsorted(ends, ends[0] + error.row, side="right")) - 1
        raise
    encoded = inside.array()
    bodies = _binary(offsets(encoded)[ends - ends[0]], encoded.buffers()[2]) if len(elements) else None
    lengths = np.zeros(len(values), np.int32) if bodies is None else np.diff(offsets(bodies))
    kind = [(">i4", int(elements.null_count > 0)), (">u4", OIDS[wire.pg_type])]
    sizes = np.diff(ends)
    empty = block(len(values), [(">i4", 12), (">i4", 0), *kind])
    filled = block(len(values), [(">i4", lengths + 20), (">i4", 1), *kind, (">i4", sizes), (">i4", 1)])
    pieces.put(filled if sizes.all() else pc.if_else(_mask(sizes > 0), filled, empty, memory_pool=POOL))
    if bodies is not None:
        pieces.put(bodies)
