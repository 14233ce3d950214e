"""The one place that makes an S3 client."""

from __future__ import annotations

from functools import partial
from typing import Any

import boto3

from stir_assets.publish.staging import S3Staging
from stir_assets.settings import S3Settings


def s3_client(settings: S3Settings) -> Any:
    """A boto3 client; credentials are the SDK's own (environment, profile or role).

    Made in a session of its own, because boto3's default session must not be used by several threads at once.
    """
    return boto3.Session().client("s3", endpoint_url=settings.endpoint, region_name=settings.region)


def publication_staging(settings: S3Settings) -> S3Staging:
    """Where publications are staged."""
    return S3Staging(
        settings.bucket,
        settings.prefix,
        partial(s3_client, settings),
        endpoint=settings.endpoint,
        region=settings.region,
    )
