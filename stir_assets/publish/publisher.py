"""The public face: publish, roll back, list, check."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from psycopg import sql

from stir_assets.publish.clickhouse import ClientFactory
from stir_assets.publish.config import PublisherConfig
from stir_assets.publish.manifest import Manifest
from stir_assets.publish.pipeline import Pipeline
from stir_assets.publish.postgres import connect, translated
from stir_assets.publish.preflight import Plan
from stir_assets.publish.publication import Progress, Publication, PublishedTable
from stir_assets.publish.rollback import roll_back
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.swap import SwapPolicy
from stir_assets.publish.target import TableSource, Target, as_source


class Publisher:
    """Publishes ClickHouse relations as PostgreSQL tables.

    `clickhouse` makes a client (such as `clickhouse_connect.get_client(..., autogenerate_session_id=False)`);
    it is called once per thread. `postgres_dsn` must reach the server directly or through a session pooler.
    Safe to share between threads: every call makes its own connections.
    """

    def __init__(
        self,
        clickhouse: ClientFactory,
        postgres_dsn: str,
        staging: S3Staging,
        *,
        private_schema: str = "stir_publish",
        public_schema: str = "stir",
        source_database: str | None = None,
        snapshot_database: str = "stir_publish",
        swap: SwapPolicy | None = None,
        lease: float = 60.0,
        slice_bytes: int = 48 << 20,
        export_workers: int = 1,
        copy_format: Literal["binary", "text"] = "binary",
        export_settings: dict[str, str | int] | None = None,
    ) -> None:
        self.config = PublisherConfig(
            clickhouse,
            postgres_dsn,
            staging,
            private_schema,
            public_schema,
            source_database,
            snapshot_database,
            swap or SwapPolicy(),
            lease,
            slice_bytes,
            export_workers,
            copy_format,
            dict(export_settings or {}),
        )

    def publish(
        self,
        target: Target,
        select: str | TableSource,
        *,
        run_id: str | None = None,
        attempt: int = 0,
        data_time: datetime | str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Publication:
        """Publish a relation: a SELECT, or a `TableSource` (`SELECT * FROM t [WHERE ...]` is taken as one).

        `run_id` and `attempt` must be new for every try. `data_time` is the newest source event contained: a
        time, or a ClickHouse aggregate such as "max(updated_at)", taken over the published rows. `on_progress`
        is called on this thread; an exception from it cancels and leaves nothing behind.

        Raises Busy, Fenced, SwapTimeout, Refused (PreflightError), ContractError, TypeConversionError,
        IncompleteExport, ExportFailed, ClickHouseUnavailable, PostgresUnavailable, PostgresRefused. The live
        table is then what it was.
        """
        return Pipeline(
            self.config,
            target,
            as_source(select),
            run_id or uuid.uuid4().hex,
            attempt,
            data_time,
            on_progress or (lambda _: None),
        ).run()

    def preflight(self, target: Target, select: str | TableSource) -> Plan:
        """Check everything that can be checked without publishing; raises what `publish` would."""
        work = Pipeline(self.config, target, as_source(select), "preflight", 0, None, lambda _: None)
        return work.preflight()

    def rollback(self, table: str) -> str:
        """Make the previous version of `schema.table` live again; returns that version's name.

        Raises `NothingToRollBack` naming the reason, `Busy` while the table is being published.
        """
        return roll_back(self.config, table)

    def publications(self) -> list[PublishedTable]:
        """What is live, and what each table can be rolled back to."""
        config = self.config
        with connect(config.dsn, "stir-publish-list") as connection:
            Manifest(connection, config.private_schema, config.public_schema).bootstrap()
            with translated("listing publications"):
                rows = connection.execute(
                    sql.SQL(
                        'select "table", mode, version, publication, rows, published_at, data_time, run_id, '
                        'previous, previous_rows from {}.publication order by "table"'
                    ).format(sql.Identifier(config.public_schema))
                ).fetchall()
        return [PublishedTable(*row) for row in rows]
