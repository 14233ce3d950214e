"""ClickHouse value -> text that PostgreSQL's COPY reads back as the same value.

Each pair of types either has an exact way across or is refused before anything is exported. What COPY itself
checks loudly (a number out of range, invalid UTF-8, bad JSON) is left to COPY; what it would change silently
(a smaller scale, more than six decimals of a second) is converted by a stated rule or refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stir_assets.publish.clickhouse_types import ChType
from stir_assets.publish.errors import ContractError
from stir_assets.publish.target import Column

# Always explicit: the defaults differ between versions. 'iso' because 'simple' prints the two instants of a
# clock change as the same text.
EXPORT_SETTINGS: dict[str, str | int] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_json_quote_decimals": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "bool_true_representation": "true",
    "bool_false_representation": "false",
    "format_tsv_null_representation": "\\N",
    "output_format_tsv_crlf_end_of_line": 0,
    "output_format_decimal_trailing_zeros": 0,
    "output_format_write_statistics": 0,
    "output_format_compression_level": 1,
    "prefer_column_name_to_alias": 1,
}

_INTEGERS = {
    **{f"Int{bits}": len(str(2 ** (bits - 1))) for bits in (8, 16, 32, 64, 128, 256)},
    **{f"UInt{bits}": len(str(2**bits - 1)) for bits in (8, 16, 32, 64, 128, 256)},
}
_COUNTS = frozenset(f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64))
_FLOATS = frozenset({"Float32", "Float64", "BFloat16"})
_STRINGS = frozenset({"String", "FixedString"})
STRUCTURED = frozenset(
    [
        "Array",
        "Map",
        "Tuple",
        "Nested",
        "Variant",
        "Dynamic",
        "QBit",
        "Point",
        "Ring",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "Geometry",
    ]
)
_OPAQUE = frozenset({"Variant", "Dynamic", "JSON", "Object"})
_TEXTS = frozenset({"text", "varchar", "char", "citext", "name"})
_JSONS = frozenset({"json", "jsonb"})
_ALIASES = {
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "decimal": "numeric",
    "character varying": "varchar",
    "character": "char",
    "bpchar": "char",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
}
PG_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_KNOWN = frozenset(
    {*PG_INTEGERS, *_TEXTS, *_JSONS, "real", "double precision", "numeric", "boolean", "date", "timestamp"}
    | {"timestamptz", "time", "interval", "uuid", "inet", "bytea"}
)


@dataclass(frozen=True)
class PgType:
    """A PostgreSQL type in canonical form: name, modifiers such as (10, 2), and whether it is an array."""

    name: str
    modifiers: tuple[int, ...] = ()
    array: bool = False


def parse_pg_type(text: str) -> PgType:
    """Read `numeric(10,2)`, `float8[]`, `timestamp(3) with time zone`. Unknown names stay as they are."""
    name = " ".join(text.lower().split())
    array = name.endswith("[]")
    name = name.removesuffix("[]").strip()
    match = re.search(r"\(\s*(\d+(?:\s*,\s*-?\d+)*)\s*\)", name)
    modifiers = tuple(int(part) for part in match[1].split(",")) if match else ()
    if match:
        name = " ".join((name[: match.start()] + name[match.end() :]).split())
    return PgType(_ALIASES.get(name, name), modifiers, array)


def infer_pg_type(kind: ChType) -> str:
    """The PostgreSQL type that holds every value of a ClickHouse type."""
    bare = kind.bare
    if bare.name in _INTEGERS:
        return _integer_type(bare.name)
    if bare.name == "Decimal":
        return f"numeric({', '.join(bare.literals)})"
    if bare.name == "Array" and not bare.args[0].bare.holds(STRUCTURED | {"JSON"}):
        return infer_pg_type(bare.args[0]) + "[]"
    if bare.name in STRUCTURED or bare.name in ("JSON", "Object"):
        return "jsonb"
    simple = {
        "Float64": "double precision", "Float32": "real", "BFloat16": "real", "Bool": "boolean", "Date": "date",
        "Date32": "date", "DateTime": "timestamptz", "DateTime64": "timestamptz", "Time": "interval",
        "Time64": "interval", "UUID": "uuid", "IPv4": "inet", "IPv6": "inet",
    }  # fmt: skip
    if bare.name.startswith("Interval"):
        return "interval"
    return simple.get(bare.name, "text")


def _integer_type(name: str) -> str:
    fitting = {
        "Int8": "smallint",
        "UInt8": "smallint",
        "Int16": "smallint",
        "UInt16": "integer",
        "Int32": "integer",
    }
    if name in fitting:
        return fitting[name]
    return "bigint" if name in ("UInt32", "Int64") else f"numeric({_INTEGERS[name]}, 0)"


def export_expression(column: Column, kind: ChType) -> str:
    """The ClickHouse expression whose TabSeparated text COPY takes for this column.

    Raises ContractError when the declared type cannot hold the delivered one without silent change.
    """
    if kind.name == "AggregateFunction":
        raise ContractError(
            f"column {column.name!r} is an aggregate state ({kind}): declare source='finalizeAggregation({column.expression})'"
        )
    expression, pg = prepared(column, kind), parse_pg_type(column.pg_type)
    if _keeps_bytes(column):
        return _bytea(column, expression, kind, pg)
    converted = _array(expression, kind, pg) if pg.array else _scalar(expression, kind.bare, pg)
    if converted is None:
        raise ContractError(
            f"column {column.name!r}: ClickHouse delivers {kind}, declared is {column.pg_type}, and that pair is not "
            f"exact. {_advice(kind.bare, pg)}"
        )
    return converted


def prepared(column: Column, kind: ChType) -> str:
    """The column's ClickHouse expression with its NULLs replaced and its texts cleaned, as declared."""
    expression = f"({column.expression})"
    if column.null_as is not None and kind.nullable:
        expression = f"ifNull({expression}, CAST({literal(column.null_as)} AS {kind.bare.text}))"
    clean = column.convert == "scrub" and not _keeps_bytes(column)
    return scrubbed(expression, kind, column.name) if clean else expression


def _keeps_bytes(column: Column) -> bool:
    return column.convert == "bytea" or parse_pg_type(column.pg_type).name == "bytea"


def literal(value: str | int | float | bool) -> str:
    """A ClickHouse string literal (every other type is CAST from it)."""
    text = str(int(value)) if isinstance(value, bool) else str(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _advice(bare: ChType, pg: PgType) -> str:
    if pg.name in PG_INTEGERS and (bare.name in _FLOATS or bare.name == "Decimal"):
        return "Say how to round in the source, for example toInt64(round(x))"
    if pg.name == "numeric":
        return "Declare more digits, or round in the source"
    return f"Declare {infer_pg_type(bare)}, or convert in the column's source"


def _bytea(column: Column, expression: str, kind: ChType, pg: PgType) -> str:
    if kind.bare.name not in _STRINGS or pg.name != "bytea" or pg.array:
        raise ContractError(
            f"column {column.name!r}: convert='bytea' takes a String to a bytea column, not {kind} to {column.pg_type}"
        )
    return f"concat('\\\\x', lower(hex({expression})))"


def scrubbed(expression: str, kind: ChType, column: str, depth: int = 0) -> str:
    """The expression with NUL bytes and invalid UTF-8 taken out of every string, also inside containers.

    Inside, because cleaning the JSON text afterwards breaks its syntax or changes literal backslashes.
    """
    bare = kind.bare
    if bare.name == "FixedString":
        return f"toValidUTF8(toStringCutToZero({expression}))"
    if bare.name == "String" or bare.name.startswith("Enum"):
        text = expression if bare.name == "String" else f"toString({expression})"
        return f"toValidUTF8(replaceAll({text}, '\\0', ''))"
    if not bare.holds(_STRINGS | _OPAQUE):
        return expression
    x = f"x{depth}"
    if bare.name == "Array":
        return f"arrayMap({x} -> {scrubbed(x, bare.args[0], column, depth + 1)}, {expression})"
    if bare.name == "Map":
        key, value = (
            scrubbed(f"{n}{depth}", arg, column, depth + 1) for n, arg in zip("kv", bare.args, strict=True)
        )
        return f"mapApply((k{depth}, v{depth}) -> ({key}, {value}), {expression})"
    if bare.name == "Tuple":
        return _scrubbed_tuple(expression, bare, column, depth)
    if bare.name == "Nested":
        item = _scrubbed_tuple(
            x, ChType("Tuple", "Tuple" + bare.text[6:], bare.args, bare.fields), column, depth + 1
        )
        return f"arrayMap({x} -> {item}, {expression})"
    raise ContractError(
        f"column {column!r}: convert='scrub' cannot reach inside {kind}; clean the values upstream"
    )


def _scrubbed_tuple(expression: str, bare: ChType, column: str, depth: int) -> str:
    parts = [
        scrubbed(f"tupleElement({expression}, {i})", arg, column, depth + 1)
        for i, arg in enumerate(bare.args, 1)
    ]
    return f"CAST(tuple({', '.join(parts)}) AS {bare.text})"


def _scalar(x: str, bare: ChType, pg: PgType) -> str | None:
    """The conversion of one value, None when the pair is not exact."""
    if bare.name == "Nothing" or (pg.name not in _KNOWN and bare.name in (*_STRINGS, "Enum8", "Enum16")):
        return x
    if bare.name in _INTEGERS:
        return _integer(x, bare, pg)
    if bare.name in _STRINGS or bare.name.startswith("Enum"):
        return _text(x, bare, pg)
    if bare.name in STRUCTURED or bare.name in ("JSON", "Object"):
        if pg.name not in (*_JSONS, "text"):
            return None
        return x if bare.name in ("JSON", "Object") else json_text(x, bare)
    if bare.name.startswith("Interval"):
        unit = bare.name.removeprefix("Interval").lower()
        whole = f"concat(toString({x}), ' {unit}s')" if unit != "nanosecond" else None
        return {
            "bigint": x,
            "interval": whole if unit != "quarter" else f"concat(toString(toInt64({x}) * 3), ' months')",
        }.get(pg.name)
    return _number_or_time(x, bare, pg)


def json_text(x: str, bare: ChType) -> str:
    """JSON of a container. Counts by name are put together of whole columns, to the same text: half the work."""
    if bare.name == "Map" and bare.args[0].bare.name == "String" and bare.args[1].name in _COUNTS:
        entry = "concat(toJSONString(k), ':', toString(v))"
        return f"concat('{{', arrayStringConcat(arrayMap((k, v) -> {entry}, mapKeys({x}), mapValues({x})), ','), '}}')"
    return f"toJSONString({x})"


def _integer(x: str, bare: ChType, pg: PgType) -> str | None:
    if pg.name in PG_INTEGERS or pg.name == "text":
        return x  # COPY refuses what is out of range (22003)
    if pg.name == "numeric":
        digits = _INTEGERS[bare.name]
        return x if not pg.modifiers or pg.modifiers[0] - (*pg.modifiers, 0)[1] >= digits else None
    if pg.name == "boolean" and bare.name == "UInt8":
        return f"({x} != 0)"
    if pg.name == "double precision" and bare.name in ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"):
        return x
    return None


def _text(x: str, bare: ChType, pg: PgType) -> str | None:
    x = stripped(x, bare)
    if pg.name in _TEXTS:
        return x
    return x if bare.name == "String" and pg.name in (*_JSONS, "uuid", "inet") else None


def stripped(x: str, bare: ChType) -> str:
    """A FixedString without the zeros that fill it up."""
    return f"toStringCutToZero({x})" if bare.name == "FixedString" else x


def _number_or_time(x: str, bare: ChType, pg: PgType) -> str | None:
    name = bare.name
    if name in _FLOATS:
        unconstrained = pg.name == "numeric" and not pg.modifiers
        exact = pg.name in ("double precision", "text") or (pg.name == "real" and name != "Float64")
        return x if exact or unconstrained else None
    if name == "Decimal":
        return x if pg.name == "text" or _decimal_fits(bare, pg) else None
    if name == "Bool":
        return x if pg.name in ("boolean", "text") else f"toUInt8({x})" if pg.name in PG_INTEGERS else None
    if name in ("Date", "Date32"):
        return x if pg.name in ("date", "timestamp", "timestamptz", "text") else None
    if name in ("DateTime", "DateTime64"):
        return _instant(x, bare, pg)
    if name in ("Time", "Time64"):
        return x if pg.name in ("interval", "time", "text") else None
    exact = {"UUID": ("uuid", "text"), "IPv4": ("inet", "text"), "IPv6": ("inet", "text")}
    return x if pg.name in exact.get(name, ()) else None


def _decimal_fits(bare: ChType, pg: PgType) -> bool:
    if pg.name != "numeric":
        return False
    if not pg.modifiers:
        return True
    precision, scale = int(bare.literals[0]), int(bare.literals[1])
    declared, declared_scale = pg.modifiers[0], (*pg.modifiers, 0)[1]
    return declared_scale >= scale and declared - declared_scale >= precision - scale


def _instant(x: str, bare: ChType, pg: PgType) -> str | None:
    """timestamptz takes the instant, timestamp its UTC wall time; PostgreSQL would round what has more decimals."""
    if pg.name == "text":
        return x
    return in_scale(x, bare, pg) if pg.name in ("timestamp", "timestamptz") else None


def in_scale(x: str, bare: ChType, pg: PgType) -> str:
    """An instant with no more decimals than the type keeps."""
    scale = int(bare.literals[0]) if bare.name == "DateTime64" else 0
    wanted = pg.modifiers[0] if pg.modifiers else 6
    return x if scale <= wanted else f"toDateTime64({x}, {wanted}, 'UTC')"


def _array(x: str, kind: ChType, pg: PgType) -> str | None:
    bare = kind.bare
    if bare.name != "Array":
        return x if bare.name == "Nothing" else None
    element = bare.args[0]
    inner = element.bare
    if inner.holds(STRUCTURED | {"JSON", "Object"}):
        return None
    item = _scalar("e", inner, PgType(pg.name, pg.modifiers))
    if item is None:
        return None
    text = _element_text(item, inner)
    if element.nullable:
        text = f"if(e IS NULL, 'NULL', {text})" if inner.name != "Nothing" else "'NULL'"
    return f"concat('{{', arrayStringConcat(arrayMap(e -> {text}, {x}), ','), '}}')"


def _element_text(item: str, inner: ChType) -> str:
    """One array element as PostgreSQL's array syntax wants it."""
    if inner.name in _INTEGERS or inner.name in _FLOATS or inner.name in ("Decimal", "Bool", "UUID"):
        return f"assumeNotNull(toString({item}))"
    if inner.name in ("DateTime", "DateTime64"):
        return f"concat('\"', assumeNotNull(toString(toTimeZone({item}, 'UTC'))), 'Z\"')"
    text = f"assumeNotNull(toString({item}))"
    return f"concat('\"', replaceAll(replaceAll({text}, '\\\\', '\\\\\\\\'), '\"', '\\\\\"'), '\"')"
