"""The publication engine for commands, without Dagster."""

from __future__ import annotations

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.staging import publication_staging
from stir_assets.local.connect import connected_settings
from stir_assets.publish.publisher import Publisher


def connected_publisher() -> Publisher:
    """On the servers of the environment or of the running stack; `ConfigError` when there are none."""
    settings = connected_settings()
    return Publisher(
        lambda: clickhouse_client(settings.clickhouse),
        settings.postgres_dsn,
        publication_staging(settings.s3),
    )
