"""Where publications are staged: the settings' bucket."""

from __future__ import annotations

from functools import partial

from stir_assets.core.s3 import s3_client
from stir_assets.publish.staging import S3Staging
from stir_assets.settings import S3Settings


def publication_staging(settings: S3Settings) -> S3Staging:
    """Where publications are staged."""
    return S3Staging(
        settings.bucket,
        settings.prefix,
        partial(s3_client, settings),
        endpoint=settings.endpoint,
        region=settings.region,
    )
