"""Where the output of steps is kept: on disk, or in S3 when STIR_LOG_BUCKET is set.

A dagster.yaml cannot branch on its environment, and one file serves the local stack and production; with
several machines or pods the output must be in S3 for the user interface to show it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._serdes import ConfigurableClassData


class StirComputeLogManager(LocalComputeLogManager):
    """Named in dagster.yaml; builds the manager that the environment asks for. Takes no configuration.

    STIR_LOG_BUCKET: the bucket, with the AWS SDK's own names for credentials and endpoint; objects go below
    `stir-logs/`. Without it: `DAGSTER_HOME/storage`, as Dagster does by itself.
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]  # another manager on purpose
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ComputeLogManager:
        # The instance is built before any settings exist: this is configuration of Dagster, not of Stir.
        bucket = os.environ.get("STIR_LOG_BUCKET")
        if bucket:
            from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

            # Partial output every 30 seconds: a long step can be followed while it runs.
            return S3ComputeLogManager(
                bucket=bucket,
                prefix="stir-logs",
                upload_interval=30,
                skip_empty_files=True,
                inst_data=inst_data,
            )
        return cls(base_dir=str(Path(os.environ["DAGSTER_HOME"]) / "storage"), inst_data=inst_data)
