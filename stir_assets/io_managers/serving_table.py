"""Publishes what a serving asset returns: ClickHouse to S3 to a new PostgreSQL table, checked, then swapped.

The engine is `stir_assets.publish`; here is only what Dagster needs around it: settings in, metadata out,
progress in the run's log, and which failures are worth a retry.
"""

# No `from __future__ import annotations` here: Dagster reads the annotations of a resource when it is defined.

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from stir_assets.automation.data_times import data_time_metadata
from stir_assets.core.staging import publication_staging
from stir_assets.errors import PermanentError, StirError, TransientError
from stir_assets.io_managers.relation import Relation
from stir_assets.publish.publication import Progress, Publication
from stir_assets.publish.publisher import Publisher
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.settings import S3Settings


@dataclass(frozen=True)
class ServedRelation:
    """The PostgreSQL relation of a serving asset, for a downstream asset that works on it in the database."""

    schema: str
    table: str

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted, qualified name, for `psycopg.sql`."""
        return sql.Identifier(self.schema, self.table)


class ServingTableIOManager(dg.ConfigurableIOManager):
    """Stages in S3 and swaps. One publication at a time a table; the previous version is kept."""

    clickhouse: dg.ResourceDependency[ClickHouseResource]
    postgres_dsn: str
    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str = "us-east-1"

    def publisher(self) -> Publisher:
        """The engine, reaching the servers of this configuration."""
        place = S3Settings(self.bucket, self.prefix, self.endpoint, self.region)
        return Publisher(self.clickhouse.new_client, self.postgres_dsn, publication_staging(place))

    def handle_output(self, context: dg.OutputContext, obj: Relation) -> None:
        """Publishes the relation as its target; adds what happened as metadata.

        Raises `dg.Failure`, with retries only for what may pass when tried again.
        """
        target = obj.target
        if target is None:
            raise dg.Failure(
                f"{context.asset_key.to_user_string()} has no publication target", allow_retries=False
            )
        log = context.log

        def progress(step: Progress) -> None:
            log.info(f"{target.name}: {step.phase}: {step.message}")

        with _as_dagster_failures():
            publication = self.publisher().publish(
                target,
                obj.source,
                run_id=context.run_id,
                attempt=context.step_context.previous_attempt_count,
                data_time=datetime.fromtimestamp(obj.data_time, UTC) if obj.data_time else None,
                on_progress=progress,
            )
        context.add_output_metadata(publication_metadata(publication))

    def load_input(self, context: dg.InputContext) -> "ServedRelation | list[dict[str, Any]]":
        """What a downstream asset's argument is annotated with: `ServedRelation`, the live table's name to use in
        SQL of its own, or else its rows as dictionaries."""
        environment, table = context.asset_key.path[-2:]
        relation = ServedRelation("public" if environment == "prod" else environment, table)
        if context.dagster_type.typing_type is ServedRelation:
            return relation
        query = sql.SQL("select * from {}").format(relation.identifier)
        with (
            psycopg.connect(self.postgres_dsn) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            return cursor.execute(query).fetchall()


def publication_metadata(publication: Publication) -> dict[str, Any]:
    """What the UI shows and plots of a publication. Sizes in bytes, times in seconds."""
    time = publication.data_time
    metadata: dict[str, Any] = {
        **data_time_metadata(time.timestamp() if time else None, publication.published_at),
        "dagster/row_count": publication.rows,
        "dagster/relation_identifier": publication.target,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name, kind, description=text) for name, kind, text in publication.columns]
        ),
        "stir/version": publication.version,
        "stir/publication": publication.sequence,
        "stir/mode": publication.mode,
        "stir/way": publication.way,
        "stir/published_at": dg.MetadataValue.timestamp(publication.published_at),
        "stir/exported_rows": publication.exported_rows,
        "stir/bytes": publication.bytes,
        "stir/staged_bytes": publication.staged_bytes,
        "stir/seconds": round(publication.total_seconds, 3),
        **{f"stir/seconds_{phase}": round(seconds, 3) for phase, seconds in publication.seconds.items()},
        "stir/snapshot": publication.snapshot,
        "stir/copy_format": publication.copy_format,
        "stir/swap_attempts": publication.swap_attempts,
    }
    if publication.previous_run_id is not None:
        metadata["stir/previous_run"] = dg.MetadataValue.dagster_run(publication.previous_run_id)
    if publication.previous_rows is not None:
        metadata["stir/previous_rows"] = publication.previous_rows
        metadata["stir/growth"] = publication.growth
    for action, count in publication.changed_rows.items():
        metadata[f"stir/rows_{action}"] = count
    for name, count in publication.dropped_rows.items():
        metadata[f"stir/dropped: {name}"] = count
    if publication.warnings:
        metadata["stir/warnings"] = dg.MetadataValue.md(
            "\n".join(f"- {text}" for text in publication.warnings)
        )
    return metadata


@contextmanager
def _as_dagster_failures() -> Iterator[None]:
    try:
        yield
    except PermanentError as error:
        metadata = {"guard": str(guard)} if (guard := getattr(error, "guard", None)) else {}
        raise dg.Failure(str(error), metadata=metadata, allow_retries=False) from error
    except TransientError:
        raise  # the asset's retry policy decides
    except StirError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
