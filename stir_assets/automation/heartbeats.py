"""Keeps Dagster's own freshness policies truthful about assets that had nothing new to build.

Dagster counts from the last materialization event, so an asset whose inputs did not change would fail its
policy though nothing is wrong with it. Its last materialization is reported again, tags and all: readers see the
same version and data, and only the event's time moves.
"""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from stir_assets.automation.decide import Tick
from stir_assets.automation.state import BUILT_AT, REPEATS
from stir_assets.core.freshness import FreshnessTerms, WindowTerms

_DAILY = timedelta(hours=12)


def heartbeats(tick: Tick) -> list[dg.AssetMaterialization]:
    """Events to report now: at most one a promised window and asset."""
    events = []
    for key in sorted(tick.plan.heartbeats):
        record, terms = tick.snapshot.records.get(key), tick.graph.nodes[key].terms
        if record is None or terms is None or tick.now - record.timestamp < _pause(terms).total_seconds():
            continue
        last = record.asset_materialization
        if last is None:
            continue
        tags = dict(last.tags or {})
        tags.setdefault(REPEATS, str(record.storage_id))
        tags.setdefault(BUILT_AT, repr(record.timestamp))
        events.append(
            dg.AssetMaterialization(
                asset_key=last.asset_key,
                description="nothing new upstream: the last build is still current",
                metadata=last.metadata,
                tags=tags,
            )
        )
    return events


def _pause(terms: FreshnessTerms) -> timedelta:
    """Half a window: the policy hears in time also when a tick is late."""
    return terms.warn / 2 if isinstance(terms, WindowTerms) else _DAILY
