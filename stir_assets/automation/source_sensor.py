"""The sensor that reports what is new in the source tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from stir_assets.automation.source_watch import Seen, changes, event_of, look
from stir_assets.resources.clickhouse import ClickHouseResource

INTERVAL_SECONDS = 5


def source_sensor(sources: Sequence[str], event_columns: Mapping[str, str]) -> dg.SensorDefinition:
    """Watches `sources` (`schema/table`); the cursor is the last look.

    A lost cursor does no harm: the same data version reported twice makes nothing run.
    """

    @dg.sensor(
        name="sources",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports source tables that changed, with their newest event.",
        # Named here and not in the annotation: annotations are text in this module.
        required_resource_keys={"clickhouse"},
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        before = _parse(context.cursor)
        clickhouse: ClickHouseResource = context.resources.clickhouse
        with clickhouse.client() as client:
            now = look(client, sources, event_columns, before)
        changed = changes(before, now)
        cursor = json.dumps({key: asdict(seen) for key, seen in now.items()})
        if not changed:
            context.update_cursor(cursor)
            return dg.SkipReason("no source table changed")
        return dg.SensorResult(asset_events=[event_of(key, now[key]) for key in changed], cursor=cursor)

    return watch


def _parse(cursor: str | None) -> dict[str, Seen]:
    try:
        return {key: Seen(**seen) for key, seen in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        # Written by another version: as if it were the first look.
        return {}
