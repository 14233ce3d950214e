"""Splits what one tick requests into runs: by lane, by lineage, by family."""

from __future__ import annotations

from collections.abc import Mapping

from stir_assets.core.scheduling.model import Graph, Lane

PRIORITY: Mapping[Lane, int] = {Lane.HOT: 10, Lane.REGULAR: 0, Lane.HEAVY: -10}
"""Of runs waiting in the queue, the highest goes first."""


def split(
    requests: Mapping[str, Lane], graph: Graph, family: Mapping[str, str]
) -> list[tuple[Lane, list[str]]]:
    """The runs, hot first: assets of one lane that read each other go together, in dependency order.

    Components that lie within one family (`family` by asset key) are joined: twelve staging models due
    together are one dbt invocation. Components across families stay apart, so that a serving table does not
    wait for models that it does not read.
    """
    runs: list[tuple[Lane, list[str]]] = []
    for lane in Lane:
        wanted = {key for key, asked in requests.items() if asked is lane}
        alone: list[set[str]] = []
        families: dict[str, set[str]] = {}
        for component in _components(wanted, graph):
            names = {family.get(key, key) for key in component}
            if len(names) == 1:
                families.setdefault(names.pop(), set()).update(component)
            else:
                alone.append(component)
        groups = [*alone, *families.values()]
        ordered = [sorted(group, key=graph.position.__getitem__) for group in groups]
        runs += [(lane, group) for group in sorted(ordered, key=lambda group: graph.position[group[0]])]
    return runs


def _components(keys: set[str], graph: Graph) -> list[set[str]]:
    left, found = set(keys), []
    while left:
        todo = [left.pop()]
        component = set(todo)
        while todo:
            key = todo.pop()
            near = {*graph.nodes[key].deps, *graph.children.get(key, ())} & left
            left -= near
            component |= near
            todo += near
        found.append(component)
    return found
