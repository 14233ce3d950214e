"""Creates the source tables in ClickHouse and checks those that exist.

Used by `stir seed`, `stir import` and the tests. What the tables look like is declared in the dbt
`sources:` files; nothing here knows a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from clickhouse_connect.driver.client import Client

from stir_assets.core.source_tables import SourceTable, load_source_tables
from stir_assets.errors import ConfigError, PermanentError
from stir_assets.settings import SOURCES_DIR


class SchemaDriftError(PermanentError):
    """A source table exists in ClickHouse with other columns than declared."""


@cache
def source_tables() -> tuple[SourceTable, ...]:
    """The declared source tables of this project, ordered by schema and name."""
    return load_source_tables(SOURCES_DIR)


def source_table(key: str) -> SourceTable:
    """The source table `schema.table`; raises `ConfigError` if it is not declared."""
    for table in source_tables():
        if table.key == key:
            return table
    raise ConfigError(f"no source table {key!r} is declared in {SOURCES_DIR.name}/")


def create_source_tables(client: Client) -> None:
    """Create the databases and tables that are missing; leave the others as they are.

    Idempotent. Raises `SchemaDriftError` naming table and column when an existing table differs from its
    declaration, before anything is created.
    """
    tables = source_tables()
    existing = existing_columns(client)
    for table in tables:
        if table.key in existing:
            check_columns(table, existing[table.key])
    for schema in dict.fromkeys(table.schema for table in tables):
        client.command(next(t.create_database_sql for t in tables if t.schema == schema))
    for table in tables:
        if table.key not in existing:
            client.command(table.create_table_sql)


def existing_columns(client: Client) -> Mapping[str, Mapping[str, str]]:
    """`schema.table` -> column -> type of the source tables that exist."""
    schemas = sorted({table.schema for table in source_tables()})
    rows = client.query(
        "SELECT database, table, name, type FROM system.columns"
        " WHERE database IN {schemas:Array(String)} ORDER BY database, table, position",
        parameters={"schemas": schemas},
    ).result_rows
    found: dict[str, dict[str, str]] = {}
    for database, table, name, type_ in rows:
        found.setdefault(f"{database}.{table}", {})[name] = type_
    return found


def check_columns(table: SourceTable, columns: Mapping[str, str]) -> None:
    """Raise `SchemaDriftError` for the first column that is missing, unknown or of another type."""
    advice = "migrate the table or drop it and run `stir seed` or `stir import` again"
    for column in table.columns:
        if column.name not in columns:
            raise SchemaDriftError(f"{table.key} has no column {column.name!r} ({column.type}): {advice}")
        if _plain(columns[column.name]) != _plain(column.type):
            raise SchemaDriftError(
                f"{table.key}.{column.name} is {columns[column.name]}, declared {column.type}: {advice}"
            )
    unknown: Sequence[str] = [name for name in columns if name not in table.column_names]
    if unknown:
        raise SchemaDriftError(f"{table.key} has a column {unknown[0]!r} that is not declared: {advice}")


def _plain(type_: str) -> str:
    return type_.replace(" ", "")
