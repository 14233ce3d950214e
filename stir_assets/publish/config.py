"""What a publisher is set up with, apart from the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from stir_assets.publish.clickhouse import ClientFactory
from stir_assets.publish.staging import S3Staging
from stir_assets.publish.swap import SwapPolicy


@dataclass(frozen=True)
class PublisherConfig:
    """Engines, names and limits. `lease` seconds without a heartbeat make a publisher's lock void.

    `slice_bytes` (uncompressed, in ClickHouse) is the size of one staged object; `export_workers` slices are
    written at a time. `source_database` is where unqualified relations live. `copy_format` 'binary' means where the
    types of all columns allow it, 'text' always text.
    """

    clickhouse: ClientFactory = field(repr=False)
    dsn: str = field(repr=False)
    staging: S3Staging
    private_schema: str = "stir_publish"
    public_schema: str = "stir"
    source_database: str | None = None
    snapshot_database: str = "stir_publish"
    swap: SwapPolicy = field(default_factory=SwapPolicy)
    lease: float = 60.0
    slice_bytes: int = 48 << 20
    export_workers: int = 1
    copy_format: Literal["binary", "text"] = "binary"
    export_settings: dict[str, str | int] = field(default_factory=dict)
