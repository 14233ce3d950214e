"""What is downstream of something: the models and serving tables that suffer when it stands still."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stir_assets.core.scheduling.model import Graph


@dataclass(frozen=True)
class Endangered:
    """Asset keys as strings, in dependency order."""

    models: tuple[str, ...] = ()
    serving: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`leaderboard, trending_content (serving) and 12 models`, or `nothing`."""
        if not self.models and not self.serving:
            return "nothing that is built"
        tables = ", ".join(key.removeprefix("serving/") for key in self.serving) or "no serving table"
        return f"{tables} and {len(self.models)} model{'s' if len(self.models) != 1 else ''}"


def endangered_by(graph: Graph, keys: Iterable[str]) -> Endangered:
    """All that Stir builds downstream of `keys`, without them. Unknown keys endanger nothing."""
    reached: set[str] = set()
    waiting = [key for key in keys if key in graph.nodes]
    roots = set(waiting)
    while waiting:
        for child in graph.children[waiting.pop()]:
            if child not in reached:
                reached.add(child)
                waiting.append(child)
    built = [key for key in graph.order if key in reached - roots and graph.nodes[key].managed]
    serving = tuple(key for key in built if key.startswith("serving/"))
    return Endangered(tuple(key for key in built if key not in serving), serving)
