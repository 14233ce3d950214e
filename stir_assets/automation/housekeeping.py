"""The asset that keeps a year of five-minute tiers from filling a disk: purges by age once a day."""

# No `from __future__ import annotations` here: Dagster reads the annotations of the op at run time.

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from stir_assets.automation.freshness import REPORT_KEY
from stir_assets.automation.graph import terms_metadata
from stir_assets.automation.purge import (
    Keep,
    purge_check_executions,
    purge_evaluations,
    purge_folders,
    purge_objects,
    purge_runs,
    purge_sensed_events,
    storage_figures,
)
from stir_assets.core.freshness import daily_by, terms_as_written
from stir_assets.core.s3 import s3_client
from stir_assets.policies import freshness_policy
from stir_assets.settings import DBT_PROJECT_DIR, S3Settings

HOUSEKEEPING_KEY = dg.AssetKey(["platform", "housekeeping"])
_TERMS = daily_by("03:30 UTC", lookback="50h")


def housekeep(
    instance: dg.DagsterInstance,
    s3: S3Settings,
    *,
    target_dir: Path = DBT_PROJECT_DIR / "target",
    keep: Keep | None = None,
) -> dict[str, Any]:
    """Purges everything; figures before and after by name, as metadata. Deleted rows make room for new ones;
    files of PostgreSQL get smaller only by its own VACUUM FULL."""
    keep, now, begun = keep or Keep(), datetime.now(UTC), time.monotonic()
    before = storage_figures(instance)
    platform = {key.to_string() for key in instance.all_asset_keys() if key.path[0] == REPORT_KEY.path[0]}
    runs = purge_runs(instance, now, keep)
    events = purge_sensed_events(instance, now, keep, platform)
    checks = purge_check_executions(instance, now, keep)
    purge_evaluations(instance, now, keep)
    # One a dbt process, where dbt runs as one (STIR_DBT_MODE=cli).
    folders, folder_bytes = purge_folders(target_dir, "stir_dbt-*", now, keep)
    client = s3_client(s3)
    objects, object_bytes = purge_objects(client, s3.bucket, f"{s3.prefix}/", now, keep)
    return {
        **_before_and_after(before, storage_figures(instance)),
        "runs deleted": runs,
        "events of sensors deleted": events,
        "check executions deleted": checks,
        "dbt target folders deleted": folders,
        "staged objects deleted": objects,
        "bytes of files deleted": folder_bytes + object_bytes,
        "stir/seconds": round(time.monotonic() - begun, 2),
    }


def _before_and_after(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {
        f"{name} {word}": figures[name]
        for name in before
        for word, figures in (("before", before), ("after", after))
    }


def build_housekeeping(s3: S3Settings) -> dg.AssetsDefinition:
    """The asset. It reads nothing; the report's events, one every five minutes, are what makes it due."""

    @dg.asset(
        key=HOUSEKEEPING_KEY,
        deps=[REPORT_KEY],
        description=(
            "Deletes old runs, events of sensors, automation evaluations, dbt's target folders and staged objects. "
            "Each asset's last materialization stays. Figures before and after are in the metadata."
        ),
        group_name="platform",
        owners=["team:data-platform"],
        freshness_policy=freshness_policy(_TERMS),
        metadata=terms_metadata(_TERMS, terms_as_written(_TERMS)),
    )
    def housekeeping(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=housekeep(context.instance, s3))

    return housekeeping
