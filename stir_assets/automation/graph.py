"""The planner's graph, read off the asset graph: every promise is in the metadata of its asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

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
    return Graph.of(
        _node(spec.key, spec.metadata, [dep.asset_key for dep in spec.deps], managed=spec.key in ours)
        for spec in specs
    )


def graph_of(assets: BaseAssetGraph) -> Graph:
    """The same graph, from what a sensor's context has. Managed is what Dagster can
    run; assets that other systems materialize are watched."""
    return Graph.of(
        _node(
            node.key, node.metadata, node.parent_keys, managed=node.is_materializable and node.is_executable
        )
        for node in assets.asset_nodes
    )


def assets_of(context: dg.SensorEvaluationContext) -> BaseAssetGraph:
    """The asset graph a sensor stands in. Raises what a sensor gets that is evaluated without its code location."""
    if context.repository_def is None:
        raise dg.DagsterInvariantViolationError("a sensor needs its repository")
    return context.repository_def.asset_graph


def _node(
    key: dg.AssetKey, metadata: Mapping[str, Any], deps: Iterable[dg.AssetKey], *, managed: bool
) -> Node:
    name = key.to_user_string()
    terms = parse_terms(_value(metadata.get(TERMS)), where=name)
    return Node(
        key=name,
        deps=tuple(sorted(dep.to_user_string() for dep in deps)),
        terms=terms,
        managed=managed,
        paced=bool(_value(metadata.get(PACED, _is_slow(terms)))),
        # A source that promises nothing may be silent for weeks: its silence must not age what reads it.
        timeless=terms is None and not managed,
    )


def _is_slow(terms: FreshnessTerms | None) -> bool:
    """Daily and weekly promises: nobody wants them refreshed every few minutes for a fast reader."""
    return terms is not None and (isinstance(terms, DeadlineTerms) or terms.fail >= _PACED_FROM)


def _value(metadata: Any) -> Any:
    return metadata.value if isinstance(metadata, dg.MetadataValue) else metadata
