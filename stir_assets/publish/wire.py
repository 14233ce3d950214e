"""ClickHouse value -> Arrow value that is PostgreSQL's binary form of the same value, but for the order of its bytes.

The pairs that have no such value here (decimals, addresses, intervals, wide integers) cross as text: `types`.
"""

from __future__ import annotations

from dataclasses import dataclass

from stir_assets.publish.clickhouse_types import ChType
from stir_assets.publish.target import Column
from stir_assets.publish.types import (
    PG_INTEGERS,
    STRUCTURED,
    PgType,
    in_scale,
    json_text,
    parse_pg_type,
    prepared,
    stripped,
)

_EPOCH_DAYS = 10957  # PostgreSQL counts from 2000-01-01
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_SHORT_INTEGERS = frozenset({"Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"})
_INTEGERS = _SHORT_INTEGERS | {"Int64", "UInt64"}
_TEXTS = frozenset({"text", "varchar", "char"})
_INSTANTS = frozenset({"timestamp", "timestamptz"})
# How PostgreSQL knows the types: its own, fixed numbers (pg_type.dat). An array's elements carry theirs.
OIDS = {
    "smallint": 21, "integer": 23, "bigint": 20, "real": 700, "double precision": 701, "boolean": 16, "date": 1082,
    "timestamp": 1114, "timestamptz": 1184, "uuid": 2950, "text": 25, "varchar": 1043, "char": 1042, "json": 114,
    "jsonb": 3802, "bytea": 17,
}  # fmt: skip
# Those of a fixed width, and their form as numpy knows it.
NUMBERS = {
    "smallint": ">i2", "integer": ">i4", "bigint": ">i8", "real": ">f4", "double precision": ">f8", "boolean": "u1",
    "date": ">i4", "timestamp": ">i8", "timestamptz": ">i8", "uuid": "V16",
}  # fmt: skip


@dataclass(frozen=True)
class Wire:
    """A column on its way: the ClickHouse expression to export, and the PostgreSQL type (one of OIDS) to encode it as."""

    column: str
    expression: str
    pg_type: str
    array: bool = False

    @property
    def fixed(self) -> bool:
        """Whether every value has the same width."""
        return not self.array and self.pg_type in NUMBERS


def wire(column: Column, kind: ChType) -> Wire | None:
    """How the column crosses in binary; None when it has to go as text.

    For pairs that `types.export_expression` has accepted.
    """
    pg = parse_pg_type(column.pg_type)
    if pg.name not in OIDS:
        return None
    x = prepared(column, kind)
    if pg.name == "bytea":
        return Wire(column.name, x, pg.name) if kind.bare.name == "String" and not pg.array else None
    if not pg.array:
        expression = _scalar(x, kind.bare, pg)
        return Wire(column.name, expression, pg.name) if expression else None
    if kind.bare.name != "Array":
        return None
    item = _scalar("e", kind.bare.args[0].bare, PgType(pg.name, pg.modifiers))
    if item is None:
        return None
    return Wire(column.name, x if item == "e" else f"arrayMap(e -> {item}, {x})", pg.name, array=True)


def boolean(name: str, condition: str) -> Wire:
    """A column of a ClickHouse condition."""
    return Wire(name, f"toUInt8({condition})", "boolean")


def _scalar(x: str, bare: ChType, pg: PgType) -> str | None:
    """The expression whose Arrow value has the type's width, or is checked against it when it is encoded."""
    if bare.name in _INTEGERS:
        return _integer(x, bare, pg)
    if bare.name in ("String", "FixedString") or bare.name.startswith("Enum"):
        return _text(x, bare, pg)
    if bare.name in STRUCTURED:
        return json_text(x, bare) if pg.name in ("json", "jsonb", "text") else None
    if bare.name in ("DateTime", "DateTime64", "Date", "Date32"):
        return _time(x, bare, pg)
    if bare.name.startswith("Interval"):
        return f"toInt64({x})" if pg.name == "bigint" else None
    if bare.name == "Bool":
        return f"toUInt8({x})" if pg.name == "boolean" or pg.name in PG_INTEGERS else None
    exact = {
        ("Float64", "double precision"): x,
        ("Float32", "real"): x,
        # By its text, as COPY reads it: 0.1 and not 0.10000000149011612.
        ("Float32", "double precision"): f"toFloat64(toString({x}))",
        ("UUID", "uuid"): f"UUIDStringToNum(toString({x}))",
    }
    return exact.get((bare.name, pg.name))


def _integer(x: str, bare: ChType, pg: PgType) -> str | None:
    if pg.name in PG_INTEGERS:
        return x
    if pg.name == "boolean" and bare.name == "UInt8":
        return f"toUInt8({x} != 0)"
    if pg.name == "double precision" and bare.name in _SHORT_INTEGERS:
        return f"toFloat64({x})"
    return f"toString({x})" if pg.name == "text" else None


def _text(x: str, bare: ChType, pg: PgType) -> str | None:
    if pg.name in _TEXTS:
        return f"toString({x})" if bare.name.startswith("Enum") else stripped(x, bare)
    return x if bare.name == "String" and pg.name in ("json", "jsonb") else None


def _time(x: str, bare: ChType, pg: PgType) -> str | None:
    day = bare.name in ("Date", "Date32")
    if pg.name in _INSTANTS:
        instant = x if day else in_scale(x, bare, pg)
        return f"toUnixTimestamp64Micro(toDateTime64({instant}, 6, 'UTC')) - {_EPOCH_MICROSECONDS}"
    return {"date": f"toInt32({x}) - {_EPOCH_DAYS}", "text": f"toString({x})"}.get(pg.name) if day else None
