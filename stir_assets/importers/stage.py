"""The staging tables of one file: everything is worked out here before a source table is touched.

A staging set is a handful of tables `stir_import.b<seconds>_<random>_<name>`, dropped when the file is done.
Sets left by an import that was killed are dropped by the next import once they are a day old.
"""

# ruff: noqa: S608 - statements are composed of table names and constants of this package, never of file contents

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from stir_assets.core.source_tables import SourceTable, quote
from stir_assets.errors import PermanentError
from stir_assets.importers.observations import Observation, Post, Profile, Title, columns_of

DATABASE = "stir_import"
STALE_AFTER_SECONDS = 86_400

SETTINGS: Mapping[str, Any] = {
    "join_use_nulls": 1,
    # Old files span hundreds of months and the event tables are partitioned by month.
    "max_partitions_per_insert_block": 0,
    "output_format_json_quote_64bit_integers": 0,
    "max_bytes_before_external_group_by": 500_000_000,
    "max_bytes_before_external_sort": 500_000_000,
}
"""Settings of every statement of an import."""

RAW: Mapping[type, str] = {Post: "raw_posts", Profile: "raw_profiles", Title: "titles"}
"""Observation -> staging table of its rows as read. `posts` and `profiles` hold them settled (one per moment)."""


class Stage:
    """One staging set. Use as a context manager: created on entry, dropped on exit, whatever happened."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = f"b{int(time.time())}_{secrets.token_hex(4)}"
        self._tables: list[str] = []

    def __enter__(self) -> Stage:
        self.run(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        drop_stale(self._client, int(time.time()) - STALE_AFTER_SECONDS)
        for kind, name in RAW.items():
            self._create(name, kind)
        self._create("posts", Post)
        self._create("profiles", Profile)
        return self

    def __exit__(self, *_: object) -> None:
        # An engine that is gone is the error of the statement that met it; the tables go with a later import.
        with contextlib.suppress(ClickHouseError):
            for name in self._tables:
                self._client.command(f"DROP TABLE IF EXISTS {self.table(name)}")
        self._tables.clear()

    def table(self, name: str) -> str:
        """The full name of a staging table, for SQL."""
        return f"{DATABASE}.{self._prefix}_{name}"

    def _create(self, name: str, kind: type[Post] | type[Profile] | type[Title]) -> None:
        body = ", ".join(f"{column} {type_}" for column, type_ in columns_of(kind).items())
        self._tables.append(name)
        self.run(f"CREATE TABLE {self.table(name)} (line UInt32, {body}) ENGINE = MergeTree ORDER BY tuple()")

    def create_like(self, name: str, target: SourceTable) -> str:
        """An empty staging table with the columns of a source table; returns its full name."""
        body = ", ".join(f"{quote(column.name)} {column.type}" for column in target.columns)
        self._tables.append(name)
        self.run(f"CREATE TABLE {self.table(name)} ({body}) ENGINE = MergeTree ORDER BY tuple()")
        return self.table(name)

    def insert(self, kind: type, rows: Sequence[tuple[int, Observation]]) -> None:
        """Append rows as read: (physical line, observation)."""
        if not rows:
            return
        types = columns_of(kind)
        lines = [line for line, _ in rows]
        columns: dict[str, tuple[str, list[Any]]] = {"line": ("UInt32", lines)}
        for name, values in zip(
            types, zip(*(observation for _, observation in rows), strict=True), strict=True
        ):
            # Most layouts fill few of the columns: what is empty in the whole chunk is not sent.
            if any(values) or (values[0] != "" and values.count(None) != len(values)):
                columns[name] = (types[name], list(values))
        context = self._client.create_insert_context(
            self.table(RAW[kind]),
            list(columns),
            column_type_names=[type_ for type_, _ in columns.values()],
            column_oriented=True,
            data=[values for _, values in columns.values()],
        )
        context.block_row_count = len(lines)  # a chunk is one block, one part
        self._client.data_insert(context)

    def check_arrived(self, kind: type, rows: int) -> None:
        """Raises `PermanentError` if the server did not store every row that was sent, whatever it answered."""
        arrived = self.count(self.table(RAW[kind]))
        if arrived != rows:
            raise PermanentError(
                f"ClickHouse stored {arrived:,} of {rows:,} rows in {self.table(RAW[kind])} without an error: nothing"
                " was imported; check what stands between this machine and the server (a proxy, an old version)"
            )

    def run(self, sql: str) -> None:
        """One statement, with the settings of imports."""
        self._client.command(sql, settings=dict(SETTINGS))

    def one(self, sql: str) -> tuple[Any, ...]:
        """The first row of a query."""
        return tuple(self._client.query(sql, settings=dict(SETTINGS)).result_rows[0])

    def count(self, table: str) -> int:
        return int(self.one(f"SELECT count() FROM {table}")[0])


def drop_stale(client: Client, before: int) -> None:
    """Drop staging tables of imports that started before `before` (seconds since 1970) and never ended."""
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = {db:String} AND match(name, '^b[0-9]{10}_[0-9a-f]{8}_')"
        " AND toUInt32OrZero(substring(name, 2, 10)) < {before:UInt32}",
        parameters={"db": DATABASE, "before": before},
    ).result_rows
    for (name,) in rows:
        client.command(f"DROP TABLE IF EXISTS {DATABASE}.{quote(name)}")
