"""The one place that makes an S3 client."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config

from stir_assets.settings import S3Settings


def s3_client(settings: S3Settings, *, config: Config | None = None, **credentials: str) -> Any:
    """A client; credentials are the SDK's own (environment, profile or role) unless given.

    Made in a session of its own, because a session must not be used by several threads at once.
    """
    session = botocore.session.get_session()
    session.register_component("data_loader", _descriptions())
    return session.create_client(
        "s3",
        endpoint_url=settings.endpoint,
        region_name=settings.region,
        config=config,
        **credentials,  # pyright: ignore[reportArgumentType]
    )


@cache
def _descriptions() -> Any:
    """The SDK's descriptions of services and regions: megabytes of JSON, which every session would read anew."""
    return botocore.session.get_session().get_component("data_loader")
