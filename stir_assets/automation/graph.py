"""The planner's graph, read off the asset graph: every promise is in the metadata of its asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from stir_assets.core.freshness import DeadlineTerms, FreshnessTerms, parse_terms
from stir_assets.core.scheduling.model import Graph, Node

TERMS = "stir/freshness"
PACED = "stir/paced"
EVENT_TIME = "stir/event_time"
DATA_TIME = "stir/data_time"
LAG = "stir/lag_seconds"

_PACED_FROM = timedelta(hours=24)


def terms_metadata(terms: FreshnessTerms | None, raw: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `schedule_graph` reads back: the declaration as it was written, and in words for people."""
    if terms is None or raw is None:
        return {}
    return {TERMS: dict(raw), "stir/promise": str(terms)}


def schedule_graph(specs: Iterable[dg.AssetSpec], managed: Iterable[dg.AssetKey]) -> Graph:
    """Nodes by `key.to_user_string()`. Raises `ConfigError` for terms that do not parse."""
    ours = set(managed)
    nodes = []
    for spec in specs:
        name = spec.key.to_user_string()
        terms = parse_terms(_value(spec.metadata.get(TERMS)), where=name)
        nodes.append(
            Node(
                key=name,
                deps=tuple(sorted(dep.asset_key.to_user_string() for dep in spec.deps)),
                terms=terms,
                managed=spec.key in ours,
                paced=bool(_value(spec.metadata.get(PACED, _is_slow(terms)))),
            )
        )
    return Graph.of(nodes)


def _is_slow(terms: FreshnessTerms | None) -> bool:
    """Daily and weekly promises: nobody wants them refreshed every few minutes for a fast reader."""
    return terms is not None and (isinstance(terms, DeadlineTerms) or terms.fail >= _PACED_FROM)


def _value(metadata: Any) -> Any:
    return metadata.value if isinstance(metadata, dg.MetadataValue) else metadata
