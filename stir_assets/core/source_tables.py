"""The source tables as the dbt `sources:` files declare them, and the SQL that creates them.

The yml files are the single place of source-table DDL. This module reads them and nothing else: no
connection, no settings. Who creates the tables: `stir_assets.world.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import yaml

from stir_assets.errors import ConfigError

Pii = Literal["phone", "email", "biography", "handle", "name"]


@dataclass(frozen=True)
class SourceColumn:
    """One column. `type` is the ClickHouse type; `pii` says which kind of personal data it holds."""

    name: str
    type: str
    description: str
    pii: Pii | None = None
    codec: str | None = None

    @property
    def ddl(self) -> str:
        codec = f" CODEC({self.codec})" if self.codec else ""
        return f"{quote(self.name)} {self.type}{codec}"


@dataclass(frozen=True)
class SourceTable:
    """One source table: where it is, what it holds, how ClickHouse stores it, how fresh it is promised.

    `event_time` is when something happened, `arrival` when it was stored (None: not recorded).
    `loaded_at_field` is the column freshness is measured by; `freshness` are the promised ages as text
    (`{"warn": "30m", "fail": "3h"}`), None for frozen lists and test data.
    """

    schema: str
    name: str
    description: str
    owner: str
    columns: tuple[SourceColumn, ...]
    engine: str
    order_by: tuple[str, ...]
    partition_by: str | None = None
    indexes: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    event_time: str | None = None
    arrival: str | None = None
    loaded_at_field: str | None = None
    freshness: Mapping[str, str] | None = None
    watch: Any = None
    """How it is watched beyond that, as written; `core/source_health/terms.py` reads it."""

    @property
    def key(self) -> str:
        """`schema.table`, as the dbt `source()` call and the asset key name it."""
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """The name as SQL writes it."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> SourceColumn:
        """The column of that name; raises `ConfigError` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ConfigError(f"source table {self.key} declares no column {name!r}")

    @property
    def replaces_rows(self) -> bool:
        """True when a new version of a row is inserted and the engine keeps the newest: read with FINAL."""
        return self.engine.startswith("ReplacingMergeTree")

    @property
    def create_database_sql(self) -> str:
        return f"CREATE DATABASE IF NOT EXISTS {quote(self.schema)}"

    @property
    def create_table_sql(self) -> str:
        return self.create_sql()

    def create_sql(self, name: str | None = None) -> str:
        """CREATE TABLE IF NOT EXISTS, under `name` (already quoted) if given."""
        lines = [column.ddl for column in self.columns]
        lines += [f"INDEX ix_{number} {text}" for number, text in enumerate(self.indexes)]
        body = ",\n    ".join(lines)
        sql = f"CREATE TABLE IF NOT EXISTS {name or self.quoted}\n(\n    {body}\n)\nENGINE = {self.engine}"
        if self.partition_by:
            sql += f"\nPARTITION BY {self.partition_by}"
        sql += f"\nORDER BY ({', '.join(quote(column) for column in self.order_by)})"
        if self.settings:
            sql += "\nSETTINGS " + ", ".join(f"{setting} = {value}" for setting, value in self.settings)
        return sql


def quote(identifier: str) -> str:
    """A ClickHouse identifier in backquotes."""
    escaped = identifier.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def load_source_tables(folder: Path) -> tuple[SourceTable, ...]:
    """All source tables declared in `folder` (`_<schema>__sources.yml`), ordered by schema and name.

    Raises `ConfigError` naming file and table when a declaration is incomplete.
    """
    files = sorted(folder.glob("_*__sources.yml"))
    if not files:
        raise ConfigError(f"no _<schema>__sources.yml in {folder}: the source declarations are missing")
    tables = [table for path in files for table in _tables_of_file(path)]
    keys = [table.key for table in tables]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ConfigError(f"source tables declared twice in {folder}: {', '.join(sorted(twice))}")
    return tuple(sorted(tables, key=lambda table: (table.schema, table.name)))


def _tables_of_file(path: Path) -> Iterator[SourceTable]:
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    for source in document.get("sources") or []:
        for table in source.get("tables") or []:
            yield _table(path, source, table)


def _table(path: Path, source: Mapping[str, Any], table: Mapping[str, Any]) -> SourceTable:
    name = f"{path.name}: {source.get('name')}.{table.get('name')}"
    config = table.get("config") or {}
    meta = {**_meta(source), **_meta(table)}
    clickhouse = meta.get("clickhouse") or {}
    for wanted in ("engine", "order_by"):
        if not clickhouse.get(wanted):
            raise ConfigError(f"{name} has no config.meta.clickhouse.{wanted}: add it")
    if not table.get("columns"):
        raise ConfigError(f"{name} declares no columns: add them with data_type")
    result = SourceTable(
        schema=str(source.get("schema") or source["name"]),
        name=str(table["name"]),
        description=str(table.get("description") or ""),
        owner=str(meta.get("owner") or ""),
        columns=tuple(_column(name, column) for column in table["columns"]),
        engine=str(clickhouse["engine"]),
        order_by=tuple(clickhouse["order_by"]),
        partition_by=clickhouse.get("partition_by"),
        indexes=tuple(clickhouse.get("indexes") or ()),
        settings=tuple((key, str(value)) for key, value in (clickhouse.get("settings") or {}).items()),
        event_time=meta.get("event_time"),
        arrival=meta.get("arrival"),
        loaded_at_field=config.get("loaded_at_field"),
        freshness=meta.get("freshness"),
        watch=meta.get("watch"),
    )
    _check_references(name, result)
    return result


def _column(table: str, column: Mapping[str, Any]) -> SourceColumn:
    if not column.get("data_type"):
        raise ConfigError(f"{table}.{column.get('name')} has no data_type: add its ClickHouse type")
    meta = _meta(column)
    pii = meta.get("pii")
    if pii is not None and pii not in get_args(Pii):
        raise ConfigError(f"{table}.{column['name']}: pii {pii!r} is none of {', '.join(get_args(Pii))}")
    return SourceColumn(
        name=str(column["name"]),
        type=str(column["data_type"]),
        description=str(column.get("description") or ""),
        pii=cast("Pii | None", pii),
        codec=meta.get("codec"),
    )


def _check_references(name: str, table: SourceTable) -> None:
    named: Sequence[str | None] = (*table.order_by, table.event_time, table.arrival, table.loaded_at_field)
    for column in named:
        if column is not None and column not in table.column_names:
            raise ConfigError(f"{name} refers to column {column!r}, which it does not declare")


def _meta(node: Mapping[str, Any]) -> dict[str, Any]:
    return dict((node.get("config") or {}).get("meta") or {})
