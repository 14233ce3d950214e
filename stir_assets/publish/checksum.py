"""Aggregates of the published rows on both sides: in ClickHouse over the frozen snapshot with the expressions of
the text form, in PostgreSQL over the loaded rows before an enrichment touches them. They must be equal.

Compared is what both engines compute exactly: the rows, non-null values of every column, the sum of integers,
booleans and decimals, the least and greatest integer, decimal, date and time, the sum of the first 60 bits of the MD5
of text (UTF-8) and uuid, and the NaNs among floats, whose sums depend on the order of addition. Of arrays, JSON,
bytea, intervals and addresses only the non-null values are counted. A sum does not see which row has a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql

from stir_assets.publish.clickhouse import ClickHouse
from stir_assets.publish.clickhouse_types import ChType, parse_type
from stir_assets.publish.errors import Refused
from stir_assets.publish.postgres import Connection, raw
from stir_assets.publish.snapshot import Snapshot
from stir_assets.publish.target import Column, Target
from stir_assets.publish.types import EXPORT_SETTINGS, parse_pg_type

_SHOWN = 10
_INTEGERS = frozenset(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64, 128))
_PG_INTEGERS = frozenset({"smallint", "integer", "bigint", "numeric"})


@dataclass(frozen=True)
class Aggregate:
    """One number of one column: in ClickHouse of the alias `{x}`, in PostgreSQL of the column `{x}`, both as text."""

    name: str
    clickhouse: str
    postgres: str


_COUNT = Aggregate("non-null values", "count({x})", "count({x})")
_SUM = Aggregate(
    "sum", "sumIf(toInt256(assumeNotNull({x})), isNotNull({x}))", "coalesce(sum({x}::numeric), 0)"
)
_TRUE = Aggregate(
    "sum", "sumIf(toInt256(assumeNotNull({x})), isNotNull({x}))", "coalesce(sum({x}::integer), 0)"
)
_DECIMALS = Aggregate("sum", "sumIf(assumeNotNull({x}), isNotNull({x}))", "coalesce(sum({x}), 0)")
_ENDS = tuple(Aggregate(f"{end}imum", f"{end}OrNull({{x}})", f"{end}({{x}})") for end in ("min", "max"))
_DATES = tuple(
    Aggregate(f"{end}imum", f"{end}OrNull({{x}})", f"to_char({end}({{x}}), 'YYYY-MM-DD')")
    for end in ("min", "max")
)
_TIMES = tuple(
    Aggregate(
        f"{end}imum in microseconds since 1970",
        f"toUnixTimestamp64Micro(toDateTime64({end}OrNull({{x}}), 6, 'UTC'))",
        f"(extract(epoch from {end}({{x}})) * 1000000)::bigint",
    )
    for end in ("min", "max")
)
_NANS = Aggregate(
    "NaN values",
    "countIf(isNotNull({x}) AND isNaN(assumeNotNull({x})))",
    "count(*) filter (where {x} = 'NaN')",
)
_DIGEST = Aggregate(
    "sum of MD5",
    "sumIf(toInt256(bitShiftRight(reinterpretAsUInt64(reverse(substring(MD5(assumeNotNull(toString({x}))), 1, 8))), 4)), "
    "isNotNull({x}))",
    "coalesce(sum(('x' || substr(md5(convert_to({x}::text, 'UTF8')), 1, 15))::bit(60)::bigint), 0)",
)


def aggregates(column: Column, exported: ChType) -> tuple[Aggregate, ...]:
    """What can be compared exactly of a column whose export expression has the type `exported`."""
    pg, kind = parse_pg_type(column.pg_type), exported.bare
    if pg.array:
        return (_COUNT,)
    if kind.name in _INTEGERS and pg.name in _PG_INTEGERS:
        return (_COUNT, _SUM, *_ENDS)
    if pg.name == "boolean" and kind.name in ("Bool", "UInt8"):
        return (_COUNT, _TRUE)
    if kind.name == "Decimal" and pg.name == "numeric":
        # The sum of the widest decimals could overflow in ClickHouse.
        return (_COUNT, *((_DECIMALS,) if int(kind.literals[0]) <= 38 else ()), *_ENDS)
    if kind.name in ("Date", "Date32") and pg.name == "date":
        return (_COUNT, *_DATES)
    if kind.name in ("DateTime", "DateTime64") and pg.name in ("timestamp", "timestamptz"):
        return (_COUNT, *_TIMES)
    if kind.name in ("Float32", "Float64") and pg.name in ("real", "double precision", "numeric"):
        return (_COUNT, _NANS)
    if (kind.name == "String" or kind.name.startswith("Enum")) and pg.name in ("text", "varchar"):
        return (_COUNT, _DIGEST)
    if kind.name == "UUID" and pg.name == "uuid":
        return (_COUNT, _DIGEST)
    return (_COUNT,)


@dataclass(frozen=True)
class Checksum:
    """The aggregates of the frozen rows, to be compared with those of the loaded ones."""

    target: Target
    plan: tuple[tuple[Column, Aggregate], ...]
    values: Sequence[str | None]
    """The number of rows, then one value for each of `plan`."""

    def check(self, connection: Connection, place: sql.Composable, candidate: str) -> None:
        """Compare with the rows at `place`. Raises `Refused` with the columns that differ and both values."""
        found = self._loaded(connection, place)
        names = ["number of rows", *(f"{column.name}: {part.name}" for column, part in self.plan)]
        differing = {
            name: {"clickhouse": there, "postgresql": here}
            for name, there, here in zip(names, self.values, found, strict=True)
            if _plain(there) != _plain(here)
        }
        if not differing:
            return
        shown = [
            f"{name} is {pair['clickhouse']} in ClickHouse and {pair['postgresql']} in PostgreSQL"
            for name, pair in differing.items()
        ]
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        raise Refused(
            self.target.name,
            "checksum",
            "; ".join(shown[:_SHOWN])
            + f"{more}. Publish again; when it repeats, look for a source that gives another value each time",
            details={"differing": differing},
            candidate=candidate,
        )

    def _loaded(self, connection: Connection, place: sql.Composable) -> list[str | None]:
        parts = [
            sql.SQL("({})::text").format(raw(part.postgres).format(x=sql.Identifier(column.name)))
            for column, part in self.plan
        ]
        everything = sql.SQL(", ").join([sql.SQL("count(*)::text"), *parts])
        row = connection.execute(sql.SQL("select array[{}] from {}").format(everything, place)).fetchone()
        assert row is not None  # noqa: S101 - an aggregate always has a row
        return row[0]


def of_snapshot(
    clickhouse: ClickHouse, target: Target, snapshot: Snapshot, expressions: Sequence[str]
) -> Checksum:
    """The aggregates of the rows that are exported; `expressions` are those of the export, a column each."""
    selected = ", ".join(f"{text} AS `stir:{number}`" for number, text in enumerate(expressions))
    where = f" WHERE ({snapshot.where})" if snapshot.where else ""
    rows = f"(SELECT {selected} FROM {snapshot.relation}{where})"
    what = f"{target.name}: checksum"
    described = clickhouse.rows(f"DESCRIBE TABLE {rows}", what, EXPORT_SETTINGS)
    plan, texts = [], ["toString(count())"]
    for number, (column, described_row) in enumerate(zip(target.exported, described, strict=True)):
        for part in aggregates(column, parse_type(str(described_row[1]))):
            plan.append((column, part))
            texts.append(f"toString({part.clickhouse.format(x=f'`stir:{number}`')})")
    values: Any = clickhouse.rows(f"SELECT [{', '.join(texts)}] FROM {rows}", what, EXPORT_SETTINGS)[0][0]
    return Checksum(target, tuple(plan), list(values))


def _plain(value: str | None) -> Decimal | str | None:
    """Numbers by value: ClickHouse writes 1.5 where PostgreSQL writes 1.50."""
    if value is None or value.count("-") > 1:  # a date
        return value
    return Decimal(value)
