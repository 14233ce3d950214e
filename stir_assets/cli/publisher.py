"""The publication engine for commands, without Dagster."""

from __future__ import annotations

import boto3

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.local.connect import connected_settings
from stir_assets.publish.publisher import Publisher
from stir_assets.publish.staging import S3Staging


def connected_publisher() -> Publisher:
    """On the servers of the environment or of the running stack; `ConfigError` when there are none."""
    settings = connected_settings()
    place = settings.s3
    staging = S3Staging(
        place.bucket,
        place.prefix,
        lambda: boto3.Session().client("s3", endpoint_url=place.endpoint, region_name=place.region),
        endpoint=place.endpoint,
        region=place.region,
    )
    return Publisher(lambda: clickhouse_client(settings.clickhouse), settings.postgres_dsn, staging)
