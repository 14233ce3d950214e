"""Which checks a run takes along: those whose last word is old, or was not good.

A table that is built every minute would else be tested every minute, which costs as much as building it. What fails is
tested with every run until it passes, so a repair is seen at once.
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

# Shorter than the quarter of an hour of the tier above the hottest, whose tables are tested with every run.
PASSED_FOR_SECONDS = 720.0


def checks_due(
    instance: dg.DagsterInstance, assets: BaseAssetGraph, checks: Collection[dg.AssetCheckKey], now: float
) -> list[dg.AssetCheckKey]:
    """Of these, the ones that did not pass within the last 12 minutes before `now` (seconds since the epoch), and
    what cannot run without them: Dagster refuses the run, and with it the tick, where a definition of several
    checks that has no `can_subset` is asked for some of them."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    due = [
        check
        for check in checks
        if (record := latest.get(check)) is None
        or record.status is not AssetCheckExecutionRecordStatus.SUCCEEDED
        or record.event is None
        or record.event.timestamp <= now - PASSED_FOR_SECONDS
    ]
    together = (key for check in due for key in assets.get_execution_set_asset_and_check_keys(check))
    return list(dict.fromkeys(key for key in together if isinstance(key, dg.AssetCheckKey)))
