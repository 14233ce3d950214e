"""A publisher on real engines, and a source whose every row carries its version."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.publish.errors import Busy
from stir_assets.publish.publication import Progress, Publication
from stir_assets.publish.publisher import Publisher
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.swap import SwapPolicy
from stir_assets.publish.target import Column, Index, Target
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.s3 import S3

TARGET = Target(
    schema="public",
    table="board",
    columns=(
        Column("id", "bigint", nullable=False),
        Column("version", "integer", nullable=False),
        Column("name", "text", convert="scrub"),
    ),
    primary_key=("id",),
    indexes=(Index(("version",)),),
)


POLICY = SwapPolicy(max_reader_block=0.3, pause=(0.05, 0.1), budget=5.0)


@dataclass
class Desk:
    """Everything a test of the engine needs: fill the source, publish it, look at the live table."""

    publisher: Publisher
    client: Client
    dsn: str
    s3: S3
    target: Target = TARGET

    def fill(self, version: int, rows: int = 1000) -> None:
        """Replace the source's rows by `rows` rows of one version."""
        self.client.command(
            "create or replace table source (id Int64, version Int32, name Nullable(String)) "
            "engine = MergeTree order by id"
        )
        self.client.command(
            f"insert into source select number, {version}, concat('name ', toString(number)) from numbers({rows})"
        )

    def publish(
        self,
        target: Target | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        **changes: Any,
    ) -> Publication:
        """Publish the source; `changes` replace fields of the target."""
        return self.publisher.publish(
            replace(target or self.target, **changes),
            f"select * from {self.client.database}.source",
            run_id=uuid.uuid4().hex,
            on_progress=on_progress,
        )

    def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Rows of a query on PostgreSQL, in a session of its own."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query, arguments).fetchall()  # pyright: ignore[reportArgumentType]

    def run(self, statement: str) -> None:
        """A statement on PostgreSQL."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)  # pyright: ignore[reportArgumentType]

    def live(self) -> tuple[int, int, int]:
        """Rows of the live table, lowest and highest version in it."""
        return self.rows("select count(*), min(version), max(version) from public.board")[0]

    def publish_once_free(self) -> Publication:
        """Publish as soon as the lock is free: a dead client's session takes a moment to be noticed."""
        for _ in range(100):
            with contextlib.suppress(Busy):
                return self.publish()
            time.sleep(0.2)
        raise AssertionError("the lock never came free")

    def sessions(self) -> list[Any]:
        """Names of the sessions that publishers have open."""
        return self.rows(
            "select application_name from pg_stat_activity "
            "where application_name like 'stir-publish%%' and datname = current_database()"
        )

    def leftovers(self) -> Leftovers:
        """What publications have left outside the live table."""
        tables = self.rows(
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = 'stir_publish' and c.relkind = 'r' and c.relname like '%%\\_\\_%%'"
        )[0][0]
        listed = self.s3.client.list_objects_v2(Bucket=self.s3.bucket, Prefix=self.s3.prefix)
        uploads = self.s3.client.list_multipart_uploads(Bucket=self.s3.bucket, Prefix=self.s3.prefix)
        frozen = self.client.query("select count() from system.tables where database = 'stir_publish'")
        return Leftovers(
            tables, listed.get("KeyCount", 0), len(uploads.get("Uploads", [])), frozen.result_rows[0][0]
        )


@dataclass(frozen=True)
class Leftovers:
    """Versions and their helper tables in the private schema, staged objects, multipart uploads, frozen tables in ClickHouse."""

    versions: int = 0
    objects: int = 0
    uploads: int = 0
    frozen: int = 0


PREVIOUS_ONLY = Leftovers(versions=1)


@pytest.fixture
def desk(
    clickhouse: Client,
    clickhouse_server: ClickHouseSettings,
    postgres_dsn: str,
    s3: S3,
    stack_env: dict[str, str],
) -> Iterator[Desk]:
    """An engine on a new database, a new ClickHouse database and a new S3 prefix; leaves no session open."""
    desk = Desk(new_publisher(clickhouse_server, postgres_dsn, s3), clickhouse, postgres_dsn, s3)
    yield desk
    # A backend takes a moment to end after its client has gone.
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not desk.sessions(), seconds=5)
    assert desk.sessions() == []


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Until it is true; fails when it never is."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def new_publisher(server: ClickHouseSettings, dsn: str, s3: S3, **more: Any) -> Publisher:
    """A publisher that gives up on a lock after seconds, not minutes. `more` are its other arguments."""
    staging = more.pop("staging", None) or staging_of(s3)
    return Publisher(lambda: clickhouse_client(server), dsn, staging, **{"swap": POLICY, **more})


def staging_of(s3: S3) -> S3Staging:
    """The test's own prefix."""
    return S3Staging(s3.bucket, s3.prefix, lambda: s3.client, endpoint=s3.settings.endpoint)
