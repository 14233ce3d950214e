"""A planner that is kept over ticks says what a new one says, whatever happens in between."""

from __future__ import annotations

import random
from dataclasses import replace

from stir_assets.core.freshness import daily_by, within
from stir_assets.core.scheduling.model import Build, Failures, Graph, Node, State
from stir_assets.core.scheduling.planner import Planner, plan

START = 1_893_456_000.0
_TERMS = (
    within(warn="5m", fail="10m"),
    within(warn="30m", fail="1h", every="2m"),
    daily_by("20:15 UTC", lookback="26h"),
    daily_by("03:30 UTC", lookback="26h", every="3h"),
    within(warn="2h", fail="4h"),
    None,
)


def graph(chance: random.Random) -> Graph:
    nodes = [Node(f"source{n}", managed=False, timeless=n == 0) for n in range(4)]
    for number in range(24):
        deps = tuple(sorted(chance.sample([node.key for node in nodes], chance.randint(1, 3))))
        terms, paced = _TERMS[number % len(_TERMS)], chance.random() < 0.2
        nodes.append(Node(f"asset{number}", deps=deps, terms=terms, paced=paced))
    return Graph.of(nodes)


class _History:
    """A state in which anything may happen."""

    def __init__(self, graph: Graph, chance: random.Random) -> None:
        self.graph, self.chance, self.now, self.version = graph, chance, START, 0
        self.builds: dict[str, Build] = {}
        self.state = State(self.builds, seconds={})

    def go_on(self) -> None:
        chance = self.chance
        self.now += chance.choice([0.0, 5.0, 5.0, 60.0, 600.0, 40_000.0, -30.0])
        for key in chance.sample(self.graph.order, chance.randint(0, 4)):
            self.build(key)
        if chance.random() < 0.1:
            self.builds.pop(chance.choice(self.graph.order), None)
        busy = frozenset(chance.sample(self.graph.order, chance.randint(0, 2)))
        failed = {
            key: Failures(chance.randint(1, 5), self.now - 50.0) for key in chance.sample(self.graph.order, 2)
        }
        seconds = dict(self.state.seconds) if chance.random() < 0.1 else self.state.seconds
        if seconds is not self.state.seconds:
            seconds = {**seconds, chance.choice(self.graph.order): chance.uniform(0.1, 300.0)}
        self.state = State(self.builds, busy, failed, seconds)

    def build(self, key: str) -> None:
        self.version += 1
        node, chance = self.graph.nodes[key], self.chance
        inputs = {dep: self.builds[dep] for dep in node.deps if dep in self.builds}
        times = [build.data_time for build in inputs.values() if build.data_time is not None]
        own = None if node.timeless else self.now - chance.uniform(0.0, 900.0)
        made = Build(
            self.now - chance.uniform(0.0, 30.0),
            self.version,
            data_version=chance.choice(["a", "b", None]),
            read={dep: build.version for dep, build in inputs.items()},
            read_data_versions={
                dep: build.data_version for dep, build in inputs.items() if build.data_version
            },
            data_time=min(times, default=None) if node.managed else own,
        )
        # By hand, without provenance, now and then.
        self.builds[key] = replace(made, read={}) if chance.random() < 0.1 else made


def test_what_a_planner_remembers_changes_no_plan() -> None:
    verdicts = set()
    for seed in range(6):
        chance = random.Random(seed)
        history = _History(graph(chance), chance)
        kept = Planner(history.graph)
        for step in range(120):
            history.go_on()
            fresh = plan(history.now, history.graph, history.state)
            assert kept.plan(history.now, history.state) == fresh, f"seed {seed}, step {step}"
            verdicts |= {decision.verdict for decision in fresh.decisions.values()}
    assert len(verdicts) >= 10
