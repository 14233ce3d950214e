"""The checksum guard: equal for every type it compares, in every mode; a value changed on the way is found and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from stir_assets.publish.errors import Refused
from stir_assets.publish.target import Column, Enrichment, Guards
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher, staging_of
from stir_assets_tests.integration.publish.test_exports import Tampered, arrow

CHECKSUM = replace(TARGET, guards=Guards(checksum=True, max_shrink=1, min_rows=0))
MODES = {
    "rename": {},
    "pointer": {},
    "diff": {"max_changed": 1},
    "upsert": {"max_changed": 1, "watermark": "version", "tombstone": "version < 0"},
    "enriched": {
        "mode": "rename",
        "columns": (*TARGET.columns, Column("added", "text", enriched=True)),
        "enrichments": (Enrichment("add", "update {table} set added = name, name = 'changed'"),),
    },
}
# PostgreSQL type, and a ClickHouse expression of `number` with the edges of the type first.
TYPES = {
    "bigint": "toInt64(['-9223372036854775808', '9223372036854775807', NULL, toString(number)][least(number, 3) + 1])",
    "smallint": "toNullable(toInt8(number % 256))",
    "integer": "CAST(number % 7 = 0 ? NULL : number AS Nullable(UInt16))",
    "numeric(20, 0)": "toUInt64(18446744073709551615 - number)",
    "numeric": "toInt128('-170141183460469231731687303715884105728') + number",
    "numeric(18, 4)": "if(number % 3 = 0, NULL, toDecimal64(number, 4) / 7)",
    "boolean": "number % 3 = 0 ? NULL : CAST(number % 2 AS Bool)",
    "date": "number % 9 = 8 ? NULL : toDate32('1900-01-01') + number * 97",
    "timestamp": "toDateTime64('1930-01-01 23:59:59.999999999', 9, 'UTC') + toIntervalDay(number * 30)",
    "timestamptz": "number % 9 = 8 ? NULL : toDateTime('2025-10-26 00:30:00', 'Europe/Berlin') + number * 1800",
    "timestamp(3)": "toDateTime64('2020-01-01 00:00:00.123456', 6, 'Asia/Tokyo') + number",
    "double precision": "[nan, inf, -inf, -0., 5e-324, NULL, number / 3][least(number, 6) + 1]",
    "real": "toFloat32(number / 3)",
    "text": "['', 'ünï\\t\\n\\\\N 😀', '\\\\', NULL, toString(number)][least(number, 4) + 1]",
    "varchar(40)": "toLowCardinality(concat('name ', toString(number)))",
    "uuid": "number % 5 = 0 ? NULL : toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
    "jsonb": "map('a', number)",
    "text[]": "[toString(number), 'x']",
    "interval": "toIntervalDay(number)",
}


def options(mode: str) -> dict[str, Any]:
    return {"mode": mode, **MODES[mode]}


def tampering(desk: Desk, server: ClickHouseSettings, column: int, value: Any) -> Desk:
    """The desk with a publisher whose staged object has another value in a column of the row with id 707."""

    def change(rows: pa.Table) -> pa.Table:
        values = rows.column(column).to_pylist()
        values[rows.column(0).to_pylist().index(707)] = value
        field = rows.schema.field(column)
        return rows.set_column(column, field, pa.array(values, field.type))

    staging = replace(
        staging_of(desk.s3),
        make_client=lambda: Tampered(desk.s3.client, desk.s3.bucket, arrow(change)),
    )
    return replace(desk, publisher=new_publisher(server, desk.dsn, desk.s3, staging=staging))


@pytest.mark.parametrize("rows", [0, 500])
def test_no_type_differs_on_the_two_sides(desk: Desk, rows: int) -> None:
    columns = [Column("id", "bigint", nullable=False, source="number")]
    columns += [Column(f"c{n}", kind, source=text) for n, (kind, text) in enumerate(TYPES.items())]
    columns += [
        Column("e", "text", source="CAST(number % 2 + 1 AS Enum8('ä' = 1, 'b' = 2))"),
        Column("f", "text", source="toFixedString(toString(number % 10), 3)"),
        Column("s", "text", source="concat('a\\0', char(255), toString(number))", convert="scrub"),
        Column("n", "bigint", source="number % 2 = 0 ? NULL : toInt64(number)", null_as=-1),
        Column("nothing", "text", source="NULL"),
    ]
    desk.client.command(
        f"create or replace table source engine = MergeTree order by number as select * from numbers({rows})"
    )
    publication = desk.publish(CHECKSUM, columns=tuple(columns), indexes=())
    assert publication.rows == rows
    assert "checksum" in publication.seconds


# A number, a text and a NULL: the column, its value in the staged object, and what the refusal must say.
CHANGES = (
    (1, 3, r"version: sum is 2000 .* 2001"),
    (2, b"NAME 707", r"name: sum of MD5 is \d+ .* \d+"),
    (2, None, r"name: non-null values is 1000 .* 999"),
)


@pytest.mark.parametrize("mode", MODES)
def test_a_value_changed_on_the_way_is_refused_in_every_mode(
    desk: Desk, clickhouse_server: ClickHouseSettings, mode: str
) -> None:
    desk.fill(1)
    desk.publish(CHECKSUM, **options(mode))
    desk.fill(2)
    for column, value, named in CHANGES:
        other = tampering(desk, clickhouse_server, column, value)
        with pytest.raises(Refused, match=named) as refused:
            other.publish(CHECKSUM, **options(mode))
        assert refused.value.guard == "checksum"
        assert desk.live() == (1000, 1, 1)
        kept = desk.rows(f"select count(*), min(version) from {refused.value.candidate}")
        assert kept == [(1000, 2)]
    desk.publish(CHECKSUM, **options(mode))
    assert desk.live() == (1000, 2, 2)
    assert desk.leftovers().versions == (2 if mode == "pointer" else 1)
