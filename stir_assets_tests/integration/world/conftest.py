"""A small world on the session's real ClickHouse and in a PostgreSQL database of its own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from clickhouse_connect.driver.client import Client
from psycopg import sql

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.settings import ClickHouseSettings
from stir_assets.world.build import build_world
from stir_assets.world.schema import source_tables
from stir_assets.world.storage import WorldState

NOW = datetime(2025, 3, 14, 9, tzinfo=UTC)
SCALE = 0.02


@dataclass(frozen=True)
class World:
    client: Client
    connection: psycopg.Connection
    state: WorldState


@pytest.fixture(scope="package")
def client(clickhouse_server: ClickHouseSettings) -> Iterator[Client]:
    """The session's ClickHouse; the source tables are empty again afterwards."""
    with contextlib.closing(clickhouse_client(clickhouse_server)) as opened:
        yield opened
        for table in source_tables():
            opened.command(f"TRUNCATE TABLE IF EXISTS {table.quoted}")
        opened.command("DROP DATABASE IF EXISTS stir_world")


@pytest.fixture(scope="package")
def product_connection(postgres_server: str) -> Iterator[psycopg.Connection]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    dsn = urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                yield connection
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def world(client: Client, product_connection: psycopg.Connection) -> World:
    """A world as `stir seed` leaves it; tests of a module share it and do not change it."""
    state = build_world(
        client, scale=SCALE, seed=7, now=NOW, product_connection=product_connection, replace=True
    )
    return World(client, product_connection, state)
