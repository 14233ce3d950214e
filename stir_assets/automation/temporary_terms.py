"""Terms that hold for a while in place of the declared ones: one value in Dagster's key-value table.

They end by themselves, whatever became of who set them. Only the scheduler goes by them: what is promised to people,
and alerted on, stays what is declared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from stir_assets.core.freshness import FreshnessTerms, parse_terms
from stir_assets.core.scheduling.model import Graph
from stir_assets.errors import ConfigError

KEY = "stir/temporary_terms"


def set_temporary_terms(
    instance: dg.DagsterInstance, terms: Mapping[str, Mapping[str, Any]], until: float
) -> None:
    """Terms by asset, as in a yml, until a moment (seconds since the epoch). An empty mapping ends them at once.

    Raises `ConfigError` for terms that do not parse.
    """
    for key, raw in terms.items():
        parse_terms(raw, where=f"temporary terms of {key}")
    value = json.dumps({"until": until, "terms": {key: dict(raw) for key, raw in terms.items()}})
    instance.daemon_cursor_storage.set_cursor_values({KEY: value})


def temporary_terms(instance: dg.DagsterInstance, now: float) -> dict[str, FreshnessTerms]:
    """What holds at `now`, by asset. What another version wrote does not."""
    text = instance.daemon_cursor_storage.get_cursor_values({KEY}).get(KEY)
    try:
        found = json.loads(text or "{}")
        if not now < float(found.get("until", 0)):
            return {}
        parsed = {key: parse_terms(raw, where=key) for key, raw in found["terms"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, ConfigError):
        return {}
    return {key: terms for key, terms in parsed.items() if terms is not None}


def with_terms(graph: Graph, terms: Mapping[str, FreshnessTerms]) -> Graph:
    """The graph with these terms in place of the declared ones; unknown assets are left out."""
    if not terms:
        return graph
    return Graph.of(
        replace(node, terms=terms.get(key, node.terms), paced=node.paced and key not in terms)
        for key, node in graph.nodes.items()
    )
