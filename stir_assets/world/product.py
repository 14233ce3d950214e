"""The product-owned PostgreSQL tables that serving tables are enriched from.

In production the product fills them. Here `stir seed` does, from the replicas of the same tables in
ClickHouse (`coffee_replica`, for the schema `staging` `coffee_stage`), so that ids agree everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from clickhouse_connect.driver.client import Client
from psycopg import Connection, sql

from stir_assets.errors import PermanentError


class ProductTableError(PermanentError):
    """A product table exists with other columns than expected."""


@dataclass(frozen=True)
class ProductSource:
    """A product table: columns with PostgreSQL types, indexes, and the SELECT that gives its rows.

    `select` reads ClickHouse; `{schema}` is the replica's database, `{since:Int64}` the epoch second whose
    later changes are wanted.
    """

    name: str
    columns: dict[str, LiteralString]
    select: str
    indexes: tuple[str, ...] = ()


_AGE = (
    "concat('{', arrayStringConcat(arrayMap((age, n) -> concat('\"', age, '\": ',"
    " toString(round(100 * (0.5 + cityHash64(key, n) % 1000 / 1000) * [6, 34, 30, 14, 8, 5, 3][n] / 100, 2))),"
    " ['13-17', '18-24', '25-34', '35-44', '45-54', '55-64', '65+'], [1, 2, 3, 4, 5, 6, 7]), ', '), '}')"
)
_GENDER = (
    "concat('{\"male_per\": ', toString(30 + cityHash64(key, 9) % 40),"
    " ', \"female_per\": ', toString(70 - cityHash64(key, 9) % 40), '}')"
)
TABLES = (
    ProductSource(
        "instagram_account",
        {
            "id": "bigint", "ig_id": "text", "handle": "text", "name": "text", "thumbnail": "text",
            "followers": "bigint", "audience_gender": "jsonb", "audience_age": "jsonb", "search_phrase": "text",
            "updated_at": "timestamptz",
        },
        "SELECT id, ig_id AS key, handle, name, thumbnail, followers, " + _GENDER + ", " + _AGE + ","  # noqa: S608
        " lower(concat(ifNull(name, ''), ' ', ifNull(handle, ''))), updated_at"
        " FROM {schema}.view_instagram_account_lite FINAL WHERE updated_at > toDateTime({since:Int64})",
        ("ig_id",),
    ),
    ProductSource(
        "youtube_account",
        {
            "id": "bigint", "channel_id": "text", "username": "text", "title": "text", "thumbnail": "text",
            "followers": "bigint", "audience_gender": "jsonb", "audience_age": "jsonb", "search_phrase": "text",
            "updated_at": "timestamptz",
        },
        "SELECT id, channel_id AS key, username, title, thumbnail, followers, " + _GENDER + ", " + _AGE + ","  # noqa: S608
        " lower(concat(ifNull(title, ''), ' ', ifNull(username, ''), ' ', key)), updated_at"
        " FROM {schema}.view_youtube_account_lite FINAL WHERE updated_at > toDateTime({since:Int64})",
        ("channel_id",),
    ),
    ProductSource(
        "post_collection",
        {
            "id": "text", "name": "text", "partner_id": "bigint", "source": "text", "share_id": "text",
            "enabled": "boolean", "created_at": "timestamptz", "updated_at": "timestamptz",
        },
        "SELECT id, name, partner_id, source, share_id, enabled, created_at, updated_at"
        " FROM coffee_replica.post_collection FINAL WHERE updated_at > toDateTime({since:Int64})",
    ),
    ProductSource(
        "post_collection_item",
        {
            "id": "bigint", "platform": "text", "short_code": "text", "post_type": "text",
            "post_collection_id": "text", "posted_by_handle": "text", "posted_by_cp_id": "bigint",
            "post_link": "text", "post_thumbnail": "text", "cost": "numeric", "enabled": "boolean",
            "show_in_report": "boolean", "created_at": "timestamptz", "updated_at": "timestamptz",
        },
        "SELECT id, platform, short_code, post_type, post_collection_id, posted_by_handle, posted_by_cp_id,"
        " post_link, post_thumbnail, cost, enabled, show_in_report, created_at, updated_at"
        " FROM {schema}.post_collection_item FINAL WHERE updated_at > toDateTime({since:Int64})",
        ("post_collection_id, short_code",),
    ),
    ProductSource(
        "profile_collection",
        {
            "id": "bigint", "share_id": "text", "name": "text", "partner_id": "bigint", "source": "text",
            "created_at": "timestamptz",
        },
        "SELECT id, share_id, name, partner_id, source, created_at"
        " FROM coffee_replica.profile_collection FINAL WHERE created_at > toDateTime({since:Int64})",
    ),
)  # fmt: skip
# PostgreSQL schema -> ClickHouse database of the replica it corresponds to.
SCHEMAS = {"public": "coffee_replica", "staging": "coffee_stage"}


def create_product_tables(connection: Connection) -> None:
    """Create the tables that are missing in `public` and `staging`, with keys and indexes. Idempotent.

    Raises `ProductTableError` naming table and column if one exists with other columns.
    """
    with connection.transaction():
        for schema in SCHEMAS:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
            for table in TABLES:
                _create(connection, schema, table)


def load_product_tables(connection: Connection, client: Client) -> None:
    """Replace the rows of all product tables by what the replicas in ClickHouse hold, in one transaction."""
    with connection.transaction():
        for schema, database in SCHEMAS.items():
            for table in TABLES:
                name = sql.Identifier(schema, table.name)
                # Not TRUNCATE: its lock would wait for readers of the tables and block the next ones.
                connection.execute(sql.SQL("delete from {}").format(name))
                _copy(connection, name, table, _rows(client, table, database, since=0))
    for schema in SCHEMAS:
        for table in TABLES:
            connection.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, table.name)))


def refresh_product_tables(connection: Connection, client: Client, *, since: int) -> int:
    """Insert or update the rows that changed after `since` (epoch second); returns how many."""
    changed = 0
    with connection.transaction():
        for schema, database in SCHEMAS.items():
            for table in TABLES:
                rows = list(_rows(client, table, database, since=since))
                if rows:
                    _upsert(connection, schema, table, rows)
                    changed += len(rows)
    return changed


def _create(connection: Connection, schema: str, table: ProductSource) -> None:
    name = sql.Identifier(schema, table.name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_))
        for column, type_ in table.columns.items()
    )
    connection.execute(sql.SQL("create table if not exists {} ({}, primary key (id))").format(name, columns))
    for number, index in enumerate(table.indexes):
        index_name = sql.Identifier(f"{table.name}_ix{number}")
        keys = sql.SQL(", ").join(sql.Identifier(key.strip()) for key in index.split(","))
        connection.execute(sql.SQL("create index if not exists {} on {} ({})").format(index_name, name, keys))
    found = dict(
        connection.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            [f"{schema}.{table.name}"],
        ).fetchall()
    )
    for column, type_ in table.columns.items():
        wanted = type_.replace("timestamptz", "timestamp with time zone")
        if found.get(column) != wanted:
            raise ProductTableError(
                f"{schema}.{table.name}.{column} is {found.get(column, 'missing')}, expected {wanted}: "
                "it is the product's table; drop it if it is only a left-over of an old world"
            )


def _rows(client: Client, table: ProductSource, database: str, *, since: int) -> Iterator[Sequence[Any]]:
    query = table.select.replace("{schema}", database)
    with client.query_row_block_stream(query, parameters={"since": since}) as blocks:
        for block in blocks:
            yield from block


def _copy(
    connection: Connection, name: sql.Composable, table: ProductSource, rows: Iterator[Sequence[Any]] | list
) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy {} ({}) from stdin").format(name, columns)) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _upsert(connection: Connection, schema: str, table: ProductSource, rows: list) -> None:
    name = sql.Identifier(schema, table.name)
    incoming = sql.Identifier(f"incoming_{schema}_{table.name}")
    connection.execute(sql.SQL("create temporary table {} (like {}) on commit drop").format(incoming, name))
    _copy(connection, incoming, table, rows)
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    updates = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in table.columns
        if column != "id"
    )
    connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} on conflict (id) do update set {}").format(
            name, columns, columns, incoming, updates
        )
    )
