"""Record batches in COPY's binary format, against an encoder that goes value by value."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stir_assets.publish.encode import Encoder, ValueOutOfRange
from stir_assets.publish.wire import OIDS, Wire

PACKED = {
    "smallint": "h",
    "integer": "i",
    "bigint": "q",
    "double precision": "d",
    "real": "f",
    "boolean": "B",
}
WIRES = [
    Wire("a", "", "smallint"), Wire("b", "", "bigint"), Wire("c", "", "real"), Wire("d", "", "text"),
    Wire("e", "", "jsonb"), Wire("f", "", "uuid"), Wire("g", "", "integer", array=True),
    Wire("h", "", "text", array=True), Wire("i", "", "boolean"),
]  # fmt: skip
# As ClickHouse delivers them: wider integers than PostgreSQL's, and arrays that are never NULL.
ARROW = [
    pa.int64(), pa.int64(), pa.float32(), pa.binary(), pa.binary(), pa.binary(16), pa.list_(pa.uint32()),
    pa.list_(pa.binary()), pa.uint8(),
]  # fmt: skip


def field(wire: Wire, value: Any, *, nulls: bool = False) -> bytes:
    """One field by the documentation of COPY, "Binary Format". `nulls`: what an array says of its elements; reading
    it, PostgreSQL takes 1 for "perhaps"."""
    if value is None:
        return struct.pack(">i", -1)
    if wire.array:
        head = struct.pack(">iiI", int(bool(value)), int(nulls), OIDS[wire.pg_type])
        body = struct.pack(">ii", len(value), 1) if value else b""
        data = head + body + b"".join(field(Wire("", "", wire.pg_type), item) for item in value)
    elif wire.pg_type in PACKED:
        data = struct.pack(f">{PACKED[wire.pg_type]}", value)
    else:
        data = (b"\1" if wire.pg_type == "jsonb" else b"") + value
    return struct.pack(">i", len(data)) + data


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


texts = st.binary(max_size=9)
rows = st.tuples(
    maybe(st.integers(-(2**15), 2**15 - 1)),
    maybe(st.integers(-(2**63), 2**63 - 1)),
    maybe(st.floats(width=32, allow_nan=False)),
    maybe(texts),
    maybe(texts),
    maybe(st.binary(min_size=16, max_size=16)),
    st.lists(maybe(st.integers(0, 2**31 - 1)), max_size=3),
    st.lists(maybe(texts), max_size=3),
    maybe(st.integers(0, 1)),
)


@settings(deadline=None)  # the first example imports pandas
@given(st.lists(rows, min_size=1, max_size=12), st.integers(0, 5), st.booleans())
def test_batches_are_encoded_as_postgresql_documents_it(
    values: list[tuple[Any, ...]], skipped: int, full: bool
) -> None:
    if full:  # no NULL anywhere: numbers in one block
        values = [row for row in values if None not in row] or values
    columns = [pa.array([row[n] for row in values], kind) for n, kind in enumerate(ARROW)]
    batch = pa.record_batch(columns, [wire.column for wire in WIRES]).slice(min(skipped, len(values) - 1))
    left = values[min(skipped, len(values) - 1) :]
    encoder = Encoder(WIRES)
    got = b"".join(encoder.encode(batch))
    nulls = [wire.array and any(None in row[n] for row in left) for n, wire in enumerate(WIRES)]
    expected = [
        struct.pack(">h", len(WIRES))
        + b"".join(field(wire, row[n], nulls=nulls[n]) for n, wire in enumerate(WIRES))
        for row in left
    ]
    assert got == b"".join(expected)
    assert encoder.rows == len(left)


def test_an_element_that_does_not_fit_is_named_with_the_row_of_its_array() -> None:
    numbers = pa.array([[1], [], [2, 3], [4, 40000], [5]], pa.list_(pa.int64()))
    batch = pa.record_batch([numbers], ["n"]).slice(1)
    with pytest.raises(ValueOutOfRange, match='"40000"') as error:
        list(Encoder([Wire("n", "", "smallint", array=True)]).encode(batch))
    assert error.value.row == 2


def test_a_large_batch_comes_in_parts_and_in_order() -> None:
    wires = [Wire("n", "", "bigint"), Wire("s", "", "text")]
    batch = pa.record_batch([pa.array(range(20000)), pa.array([b"x" * 500] * 20000)], ["n", "s"])
    parts = list(Encoder(wires).encode(batch))
    assert len(parts) > 3
    row = struct.Struct(">hiqi500s")
    assert [row.unpack(data)[2] for part in parts for data in _cut(bytes(part), row.size)] == list(
        range(20000)
    )


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize(
    ("kind", "value", "pg_type"),
    [
        (pa.int32(), 2**15, "smallint"),
        (pa.int64(), -(2**31) - 1, "integer"),
        (pa.uint64(), 2**63, "bigint"),
        (pa.uint8(), 200, None),
    ],
)
def test_a_number_that_does_not_fit_is_named_with_its_row(
    kind: pa.DataType, value: int, pg_type: str | None
) -> None:
    wire = Wire("n", "", pg_type or "smallint")
    encoder = Encoder([wire])
    list(encoder.encode(pa.record_batch([pa.array([1, 2, 3], kind)], ["n"])))
    batch = pa.record_batch([pa.array([None, 1, value], kind)], ["n"])
    if pg_type is None:
        assert len(b"".join(encoder.encode(batch))) == 6 + 8 + 8
        return
    with pytest.raises(ValueOutOfRange, match=f'"{value}" is out of range for type {pg_type}') as error:
        list(encoder.encode(batch))
    assert (error.value.column, error.value.row) == ("n", 5)
