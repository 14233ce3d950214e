"""Fault 21: every type crosses as the same value, or is refused with its column. Compared by PostgreSQL itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from stir_assets.publish.clickhouse_types import parse_type
from stir_assets.publish.errors import ContractError, TypeConversionError
from stir_assets.publish.target import Column, Guards
from stir_assets.publish.wire import wire
from stir_assets_tests.integration.publish.conftest import Desk

ID = Column("id", "bigint", nullable=False)
FUZZ_ROWS = 200_000

# ClickHouse expression, declared PostgreSQL type, and what PostgreSQL must print of the value read back.
EDGES: list[tuple[str, str, str | None]] = [
    ("toInt8(-128)", "smallint", "-128"),
    ("toInt64('-9223372036854775808')", "bigint", "-9223372036854775808"),
    ("toUInt32(4294967295)", "bigint", "4294967295"),
    ("toUInt64('18446744073709551615')", "numeric(20,0)", "18446744073709551615"),
    ("toInt128('-170141183460469231731687303715884105728')", "numeric(39,0)",
     "-170141183460469231731687303715884105728"),
    ("toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')", "numeric(78,0)",
     "115792089237316195423570985008687907853269984665640564039457584007913129639935"),
    ("toFloat64('5e-324')", "double precision", "5e-324"),
    ("toFloat64('1.7976931348623157e308')", "double precision", "1.7976931348623157e+308"),
    ("-0.0", "double precision", "-0"),
    ("nan", "double precision", "NaN"),
    ("inf", "double precision", "Infinity"),
    ("-inf", "double precision", "-Infinity"),
    ("toFloat32('1e-45')", "real", "1e-45"),
    ("nan", "numeric", "NaN"),
    ("toDecimal256('-1234567890123456789012345678901234567890.123456', 6)", "numeric(76,6)",
     "-1234567890123456789012345678901234567890.123456"),
    ("toDecimal64('0.1000', 4)", "numeric(18,4)", "0.1000"),
    ("'tab\\t line\\n return\\r back\\\\ quote\\' \"'", "text", "tab\t line\n return\r back\\ quote' \""),
    ("'\\\\N'", "text", "\\N"),
    ("'\\\\.'", "text", "\\."),
    ("''", "text", ""),
    ("cast(null as Nullable(String))", "text", None),
    ("cast('' as LowCardinality(Nullable(String)))", "text", ""),
    ("toFixedString('ab', 4)", "text", "ab"),
    ("cast('b' as Enum8('a' = 1, 'b' = 2))", "text", "b"),
    ("true", "boolean", "true"),
    ("toUInt8(2)", "boolean", "true"),
    ("toDate32('1900-01-01')", "date", "1900-01-01"),
    ("toDate32('2299-12-31')", "date", "2299-12-31"),
    ("toDate32('1900-01-01')", "text", "1900-01-01"),
    ("toDate('2024-02-29')", "timestamptz", "2024-02-29 00:00:00+00"),
    ("toDate32('1900-01-01')", "timestamp", "1900-01-01 00:00:00"),
    ("toFloat32(0.1)", "double precision", "0.1"),
    # The hour that occurs twice: two instants, one wall clock.
    ("toDateTime('2024-10-27 00:30:00', 'UTC')::DateTime('Europe/Berlin')", "timestamptz", "2024-10-27 00:30:00+00"),
    ("toDateTime('2024-10-27 01:30:00', 'UTC')::DateTime('Europe/Berlin')", "timestamptz", "2024-10-27 01:30:00+00"),
    ("toDateTime('2024-10-27 01:30:00', 'UTC')::DateTime('Asia/Kolkata')", "timestamp", "2024-10-27 01:30:00"),
    ("toDateTime64('2024-02-29 23:59:59.999999', 6, 'UTC')", "timestamp", "2024-02-29 23:59:59.999999"),
    # PostgreSQL would round this into the next year.
    ("toDateTime64('2023-12-31 23:59:59.999999999', 9, 'UTC')", "timestamp", "2023-12-31 23:59:59.999999"),
    ("toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "uuid", "61f0c404-5cb3-11e7-907b-a6006ad3dba0"),
    ("toIPv4('255.255.255.255')", "inet", "255.255.255.255/32"),
    ("toIPv6('::ffff:1.2.3.4')", "inet", "::ffff:1.2.3.4/128"),
    ("toIntervalQuarter(3)", "interval", "9 mons"),
    ("toIntervalDay(-2)", "bigint", "-2"),
    ("[1.5, nan, -inf]", "double precision[]", "{1.5,NaN,-Infinity}"),
    ("[toNullable(1), null]", "integer[]", "{1,NULL}"),
    ("cast([] as Array(Int64))", "bigint[]", "{}"),
    ("['a,b', '\"', '\\\\', '', 'NULL', '{}', ' ']", "text[]", '{"a,b","\\"","\\\\","","NULL","{}"," "}'),
    ("[toDate('2024-02-29')]", "date[]", "{2024-02-29}"),
    ("[[1, 2], [3]]", "jsonb", "[[1, 2], [3]]"),
    ("map('k', 1, 'ü', 2)", "jsonb", '{"k": 1, "ü": 2}'),
    ("map('a\\\\\"\\t', toInt64('-9223372036854775808'), '', toInt64(9223372036854775807))", "jsonb",
     '{"": 9223372036854775807, "a\\\\\\"\\t": -9223372036854775808}'),
    ("cast(map(), 'Map(LowCardinality(String), UInt8)')", "jsonb", "{}"),
    ("map(1, nan)", "jsonb", '{"1": null}'),
    ("tuple(1, 'a\\\\u0000b')::Tuple(n Int64, s String)", "jsonb", '{"n": 1, "s": "a\\\\u0000b"}'),
    ("toUInt64('18446744073709551615')::Variant(UInt64, String)", "jsonb", "18446744073709551615"),
    ("(1.5, 2.5)::Point", "jsonb", "[1.5, 2.5]"),
    ("finalizeAggregation(initializeAggregation('sumState', 7))", "bigint", "7"),
]  # fmt: skip


def test_21_every_edge_value_reads_back_as_itself(desk: Desk) -> None:
    selected = ", ".join(f"{expression} as c{n}" for n, (expression, _, _) in enumerate(EDGES))
    desk.client.command(
        f"create or replace table source engine = MergeTree order by tuple() as select toInt64(1) as id, {selected}"
    )
    columns = tuple(Column(f"c{n}", kind) for n, (_, kind, _) in enumerate(EDGES))
    kinds = desk.client.query("describe table source").result_rows[1:]
    binary = [n for n, row in enumerate(kinds) if wire(columns[n], parse_type(row[1])) is not None]
    assert len(binary) > len(EDGES) // 2
    for form, chosen in (("text", range(len(EDGES))), ("binary", binary)):
        published = desk.publish(
            columns=(ID, *(columns[n] for n in chosen)),
            primary_key=("id",),
            indexes=(),
            allow_schema_change=True,
        )
        assert published.copy_format == form
        got = _row(desk, ", ".join(f"c{n}::text" for n in chosen))
        assert list(zip([EDGES[n][0] for n in chosen], got, strict=True)) == [
            (EDGES[n][0], EDGES[n][2]) for n in chosen
        ]


@pytest.mark.parametrize(
    ("expression", "kind", "message"),
    [
        ("toUInt64(1)", "numeric(10,0)", "more digits"),
        ("toDecimal64(1.2345, 4)", "numeric(18,2)", "more digits"),
        ("1.5", "integer", "round"),
        ("toFloat64(0.1)", "real", "not exact"),
        ("[1, 2]", "integer", "not exact"),
        ("map('a', 1)", "text[]", "not exact"),
        ("initializeAggregation('sumState', 7)", "bigint", "finalizeAggregation"),
    ],
)
def test_21_a_pair_that_is_not_exact_is_refused_with_its_column(
    desk: Desk, expression: str, kind: str, message: str
) -> None:
    desk.fill(1)
    desk.publish()
    column = Column("name", kind, source=expression)
    with pytest.raises(ContractError, match=rf"'name'.*{re.escape(message)}"):
        desk.publish(columns=(*desk.target.columns[:2], column), allow_schema_change=True)
    assert desk.live() == (1000, 1, 1)


@pytest.mark.parametrize(
    ("value", "kind", "remedies"),
    [("'a\\0b'", "text", ("scrub", "bytea")), ("unhex('ff')", "text", ("scrub", "bytea")),
     ("unhex('eda080')", "text", ("scrub", "bytea")), ("toInt64(40000)", "smallint", ("wider type", "upstream")),
     ("toUInt64('18446744073709551615')", "bigint", ("wider type", "upstream")),
     ("'{'", "jsonb", ("upstream", "source"))],
)  # fmt: skip
def test_21_a_value_that_does_not_fit_names_column_line_type_and_remedies(
    desk: Desk, value: str, kind: str, remedies: tuple[str, str]
) -> None:
    desk.fill(1)
    desk.publish()
    column = Column("name", kind, source=f"if(id = 500, {value}, null)")
    with pytest.raises(TypeConversionError) as error:
        desk.publish(columns=(*desk.target.columns[:2], column), allow_schema_change=True)
    assert (error.value.column, error.value.line) == ("name", 501)
    assert error.value.clickhouse_type
    assert all(word in str(error.value) for word in ("'name'", "line 501", *remedies))
    assert desk.live() == (1000, 1, 1)


def test_21_scrub_cleans_texts_also_inside_containers_and_bytea_keeps_every_byte(desk: Desk) -> None:
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(1) as id, "
        "concat('a\\0b', unhex('ff'), 'c') as dirty"
    )
    columns = (
        Column("clean", "text", source="dirty", convert="scrub"),
        Column("raw", "bytea", source="dirty", convert="bytea"),
        Column("counts", "jsonb", source="map(dirty, dirty)", convert="scrub"),
        Column("words", "text[]", source="[dirty, 'a\\\\u0000b']", convert="scrub"),
    )
    desk.publish(columns=(ID, *columns), primary_key=("id",), indexes=())
    row = desk.rows("select clean, encode(raw, 'hex'), counts, words from public.board")[0]
    clean = "ab\ufffdc"
    assert row == (clean, "610062ff63", {clean: clean}, [clean, "a\\u0000b"])


@dataclass(frozen=True)
class Family:
    """Random values of a type. Both sides print them in a form in which equal means the same value."""

    name: str
    pg_type: str
    value: str  # in ClickHouse, from r (UInt64) and s (a random String of any valid characters)
    clickhouse: str = "toString(v)"
    postgres: str = "v::text"
    scrub: bool = False


_BITS = "lower(hex(reverse(reinterpretAsFixedString(v))))"
_WORDS = "arrayMap(n -> substringUTF8(s, n, 1 + n % 3), range(1, 1 + r % 6))"
FAMILIES = [
    Family("int64", "bigint", "reinterpretAsInt64(r)"),
    Family("uint64", "numeric(20,0)", "r"),
    Family("int256", "numeric(78,0)", "toInt256(reinterpretAsInt64(r)) * toInt256(r) * 7919"),
    Family("float64", "double precision", "reinterpretAsFloat64(r)", f"if(isNaN(v), 'nan', {_BITS})",
           "case when v = 'NaN' then 'nan' else encode(float8send(v), 'hex') end"),
    Family("float32", "real", "reinterpretAsFloat32(toUInt32(r))", f"if(isNaN(v), 'nan', {_BITS})",
           "case when v = 'NaN' then 'nan' else encode(float4send(v), 'hex') end"),
    Family("decimal", "numeric(38,9)", "toDecimal128(reinterpretAsInt64(r), 9) / 1000003",
           "toString(toInt128(v * 1000000000))", "(v * 1000000000)::numeric(38,0)::text"),
    Family("bool", "boolean", "(r % 2 = 0)::Bool", "toString(v)"),
    Family("date", "date", "toDate32(toInt32(r % 140000) - 25000)"),
    Family("instant", "timestamptz", "fromUnixTimestamp64Micro(toInt64(r % 8000000000000000), 'Asia/Kolkata')",
           "toString(toUnixTimestamp64Micro(v))", "(extract(epoch from v) * 1000000)::numeric(30,0)::text"),
    Family("uuid", "uuid", "reinterpretAsUUID(toUInt128(r) * 340282366920938463)"),
    Family("ipv6", "inet", "toIPv6(reinterpretAsFixedString(toUInt128(r) * 340282366920938463))",
           "lower(hex(v))", "substr(encode(inet_send(v), 'hex'), 9)"),
    Family("text", "text", "s", "lower(hex(MD5(v)))", "md5(v)"),
    Family("dirty text", "text", "concat(s, char(r % 256, 0), s)",
           "lower(hex(MD5(toValidUTF8(replaceAll(v, '\\0', '')))))", "md5(v)", scrub=True),
    Family("numbers", "bigint[]", "arrayMap(n -> reinterpretAsInt64(cityHash64(r, n)), range(r % 5))",
           "arrayStringConcat(v, ',')", "array_to_string(v, ',')"),
    Family("words", "text[]", _WORDS, "lower(hex(MD5(arrayStringConcat(v, '|'))))",
           "md5(array_to_string(v, '|'))"),
    Family("map", "jsonb", f"mapFromArrays(arrayMap((w, n) -> concat(toString(n), w), {_WORDS} as w, arrayEnumerate(w)), w)",
           "lower(hex(MD5(arrayStringConcat(arraySort(arrayMap((a, b) -> hex(concat(a, '=', b)), mapKeys(v), "
           "mapValues(v))), ','))))",
           "(select md5(coalesce(string_agg(h, ',' order by h), '')) from (select "
           "upper(encode(convert_to(key || '=' || value, 'UTF8'), 'hex')) as h from jsonb_each_text(v)) e)"),
]  # fmt: skip


@pytest.mark.slow
def test_21_two_hundred_thousand_random_values_of_sixteen_families(desk: Desk) -> None:
    assert len(FAMILIES) == 16
    text = "replaceRegexpAll(randomStringUTF8(1 + number % 24), '\\0', '')"
    values = ", ".join(f"{family.value} as v{n}" for n, family in enumerate(FAMILIES))
    printed = ", ".join(f"{_of(family.clickhouse, n)} as p{n}" for n, family in enumerate(FAMILIES))
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as "
        f"select id, {values}, {printed} from (select toInt64(number) as id, cityHash64(number, 'seed') as r, "
        f"{text} as s from numbers({FUZZ_ROWS}))"
    )
    everything = set(range(len(FAMILIES)))
    as_text = {n for n, family in enumerate(FAMILIES) if family.pg_type.startswith(("numeric", "inet"))}
    for form, chosen in (("text", everything), ("binary", everything - as_text)):
        columns = [ID]
        for n in sorted(chosen):
            convert = "scrub" if FAMILIES[n].scrub else "strict"
            columns += [Column(f"v{n}", FAMILIES[n].pg_type, convert=convert), Column(f"p{n}", "text")]
        published = desk.publish(
            columns=tuple(columns), primary_key=("id",), indexes=(), guards=Guards(min_rows=FUZZ_ROWS),
            allow_schema_change=True,
        )  # fmt: skip
        assert published.copy_format == form
        differing = [
            f"count(*) filter (where p{n} is distinct from {_of(FAMILIES[n].postgres, n)})"
            for n in sorted(chosen)
        ]
        counts = zip(sorted(chosen), _row(desk, ", ".join(differing)), strict=True)
        assert {FAMILIES[n].name: count for n, count in counts if count} == {}


def _of(expression: str, number: int) -> str:
    """The expression on the numbered column."""
    return re.sub(r"\bv\b", f"v{number}", expression)


def _row(desk: Desk, selected: str) -> tuple[object, ...]:
    """One row of the live table."""
    return desk.rows(f"select {selected} from public.board")[0]
