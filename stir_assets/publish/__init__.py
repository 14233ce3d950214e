"""Publish ClickHouse relations as PostgreSQL tables, so that a reader never sees an error, an empty or a half table."""

from __future__ import annotations

from stir_assets.publish.publication import Progress, Publication, PublishedTable
from stir_assets.publish.publisher import Publisher
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.swap import SwapPolicy
from stir_assets.publish.target import (
    Column,
    Enrichment,
    Grant,
    Guards,
    Index,
    SqlCheck,
    TableSource,
    Target,
)

__all__ = [
    "Column",
    "Enrichment",
    "Grant",
    "Guards",
    "Index",
    "Progress",
    "Publication",
    "PublishedTable",
    "Publisher",
    "S3Staging",
    "SqlCheck",
    "SwapPolicy",
    "TableSource",
    "Target",
]
