"""Data time: the newest source event that a table contains, the minimum over what it read."""

from __future__ import annotations

from collections.abc import Mapping

from stir_assets.core.scheduling.model import Graph, Node


def ages(graph: Graph, node: Node, dep: str) -> bool:
    """Whether the age of `dep` counts for `node`: a paced input of a faster reader does not."""
    return dep in graph.aging[node.key]


def contained(graph: Graph, key: str, times: Mapping[str, float | None]) -> float | None:
    """Data time of `key` when built from inputs with these data times; None when none of them has one.

    Inputs without a data time (frozen lists, code tables) do not age, so they do not count.
    """
    oldest = None
    for dep in graph.aging[key]:
        time = times.get(dep)
        if time is not None and (oldest is None or time < oldest):
            oldest = time
    return oldest
