"""The table of `stir bench publish`: 34 columns like a leaderboard's, two of them maps, about 500 bytes a row."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from stir_assets.publish.target import Column, Index, Target

DATABASE, SCHEMA, TABLE = "bench_publish", "bench", "leaderboard"
INTEGERS = tuple(f"count_{n:02}" for n in range(15))
FLOATS = tuple(f"rate_{n:02}" for n in range(8))
TEXTS = ("platform", "platform_profile_id", "handle", "name", "category", "language", "location", "picture")
MAPS = ("last_month_ranks", "current_month_ranks")
COLUMNS = ("month", *INTEGERS, *FLOATS, *TEXTS, *MAPS)
KEY = ("month", "platform", "platform_profile_id", "count_00")
RELATION = f"{DATABASE}.{TABLE}"

PG_TYPES = {
    "month": "timestamp",
    **dict.fromkeys(INTEGERS, "bigint"),
    **dict.fromkeys(FLOATS, "double precision"),
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(MAPS, "jsonb"),
}


def target(*, indexed: bool) -> Target:
    """The serving table, with its unique key and a second index or without."""
    return Target(
        SCHEMA,
        TABLE,
        tuple(Column(name, PG_TYPES[name], nullable=name not in KEY) for name in COLUMNS),
        unique_key=KEY if indexed else (),
        indexes=(Index(("platform", "category", "count_01")),) if indexed else (),
    )


def fill(client: Client, rows: int) -> None:
    """Make the ClickHouse table. The same rows every time: every value is a hash of its row's number."""
    client.command(f"create database if not exists {DATABASE}")
    ranks = (
        "mapFromArrays(arrayMap(n -> concat('rank_', ['followers', 'views', 'likes', 'plays', 'shares'][n]), "
        "range(1, 6)), arrayMap(n -> toUInt32(cityHash64(number, n, {}) % 900000), range(1, 6)))"
    )
    values = [
        "toDateTime('2024-01-01', 'UTC') + toIntervalMonth(number % 12) as month",
        "toInt64(number) as count_00",
        *(
            f"toInt64(cityHash64(number, {n}) % exp10({3 + n % 8})) as count_{n:02}"
            for n in range(1, len(INTEGERS))
        ),
        *(
            f"cityHash64(number, 'rate', {n}) % 1000000007 / 1000003 as rate_{n:02}"
            for n in range(len(FLOATS))
        ),
        "['INSTAGRAM', 'YOUTUBE'][number % 2 + 1] as platform",
        "toString(1000000000 + cityHash64(number, 'id') % 8999999999) as platform_profile_id",
        "concat('handle_', toString(cityHash64(number, 'h') % 100000000)) as handle",
        "concat('Name ', toString(number % 7919), ' Surname ', toString(number % 104729)) as name",
        "['fashion', 'food', 'travel', 'gaming', 'finance'][number % 5 + 1] as category",
        "['en', 'hi', 'ta', 'te'][number % 4 + 1] as language",
        "concat('City ', toString(number % 300), ', State ', toString(number % 28)) as location",
        "concat('https://cdn.example/profile/', hex(cityHash64(number, 'p')), '.jpg') as picture",
        f"{ranks.format(1)} as last_month_ranks",
        f"{ranks.format(2)} as current_month_ranks",
    ]
    client.command(f"drop table if exists {RELATION} sync")
    client.command(
        f"create table {RELATION} engine = MergeTree order by (month, platform) "
        f"as select {', '.join(values)} from numbers({rows})"
    )
    client.command(f"optimize table {RELATION} final")


def create_sql(place: str, *, kind: str = "") -> str:
    """CREATE TABLE as the serving table has it, for the ways that need one."""
    columns = ", ".join(f"{name} {PG_TYPES[name]}" for name in COLUMNS)
    return f"create {kind} table {place} ({columns})"
