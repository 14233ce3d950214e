"""`stir plan` and the scheduler decide alike: the same history, one in the simulation, one in real Dagster."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from stir_assets.automation.graph import graph_of
from stir_assets.core.scheduling.model import Policy
from stir_assets.core.scheduling.simulation import Machine, Setting, Simulation
from stir_assets_tests.integration.automation.simulated import START, World, asset, source

SOURCE_EVERY = timedelta(minutes=5)
SECONDS = 5.0
TICK = timedelta(seconds=Policy().poll)  # the simulation's ticks lie on the same grid


def test_simulation_and_sensor_request_the_same_runs_at_the_same_ticks() -> None:
    """Both know the same run times; runs themselves take no time in either, so that clocks agree."""
    world = World(
        [
            source("source", {"warn": "15m", "fail": "3h"}),
            asset("staging", ["source"], {"warn": "15m", "fail": "30m"}, group="staging", seconds=SECONDS),
            asset("mart", ["staging"], {"warn": "30m", "fail": "1h"}, group="marts", seconds=SECONDS),
            asset("twin", ["staging"], {"warn": "28m", "fail": "1h"}, group="marts", seconds=SECONDS),
            asset("other", ["source"], {"warn": "40m", "fail": "2h"}, group="other", seconds=SECONDS),
        ]
    )
    # Everything built once at the start, as the simulation begins.
    world.event("source")
    world.execute(["staging", "mart", "twin", "other"])
    _report_times(world)

    length = timedelta(hours=2)
    real: list[tuple[float, frozenset[str]]] = []
    while world.now <= START + length:
        if world.now > START and (world.now - START) % SOURCE_EVERY == timedelta(0):
            world.event("source")
        real += [(run.at.timestamp(), run.keys) for run in world.tick()]
        world.now += TICK

    graph = graph_of(world.repository.asset_graph)
    families = {key: graph_family(world, key) for key in graph.nodes}
    setting = _Instant(
        graph, {"source": SOURCE_EVERY.total_seconds()}, {}, families, Policy(), Machine(runs=99)
    )
    simulated = Simulation(setting, START.timestamp()).run_terms(length.total_seconds()).requests
    assert [(request.at, frozenset(request.keys)) for request in simulated] == real
    assert len(real) > 10


class _Instant(Setting):
    """Runs that end at once; the planner still reckons with their assumed times."""

    def seconds_of(self, key: str) -> float:
        return 0.0


def graph_family(world: World, key: str) -> str:
    """The asset's group, by which the sensor joins runs."""
    return world.repository.asset_graph.get(dg.AssetKey(key)).group_name or ""


def _report_times(world: World) -> None:
    for key in ("staging", "mart", "twin", "other"):
        assert world.last(key).timestamp == START.timestamp()
