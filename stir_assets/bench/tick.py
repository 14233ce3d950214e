"""What one tick of the freshness sensor costs: `stir bench tick [ASSETS ...]`.

Toy assets in layers of a hundred, all built once and then evaluated, on SQLite in memory. Dagster refuses more
than 500 assets with conditions a sensor: of a larger graph, 500 have conditions.
"""

from __future__ import annotations

import logging
import statistics
import time

import click
import dagster as dg

from stir_assets.automation.condition import freshness_driven
from stir_assets.automation.graph import graph_of, terms_metadata
from stir_assets.automation.sensors import freshness_sensor
from stir_assets.core.freshness import parse_terms
from stir_assets.core.scheduling.model import Build, State
from stir_assets.core.scheduling.planner import plan

SIZES = (200, 1000)
TICKS = 7
_LAYER = 100
_MOST = 500
_WINDOWS = ({"warn": "5m", "fail": "10m"}, {"warn": "30m", "fail": "1h"}, {"warn": "2h", "fail": "4h"})


def definitions(count: int) -> dg.Definitions:
    """`count` assets over a few sources; each reads three of the layer above."""
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = [dg.AssetSpec(f"source{n}") for n in range(20)]
    for number in range(count):
        layer, place = divmod(number, _LAYER)
        above = [f"asset{(layer - 1) * _LAYER + (place * 7 + step) % _LAYER}" for step in range(3)]
        deps = above if layer else [f"source{place % 20}"]
        raw = _WINDOWS[number % len(_WINDOWS)]
        metadata = terms_metadata(parse_terms(raw, where=f"asset{number}"), raw)
        condition = freshness_driven() if number < _MOST else None

        @dg.asset(name=f"asset{number}", deps=deps, metadata=metadata, automation_condition=condition)
        def build() -> None: ...

        assets.append(build)
    return dg.Definitions(assets=assets, sensors=[freshness_sensor()])


def measure(count: int) -> tuple[float, float, float, int]:
    """Seconds of the first tick, the median of the following, of the plan alone; bytes of cursor."""
    repository = definitions(count).get_repository_def()
    sensor = repository.get_sensor_def("freshness")
    with dg.DagsterInstance.ephemeral() as instance:
        for node in repository.asset_graph.asset_nodes:
            instance.report_runless_asset_event(dg.AssetMaterialization(node.key))
        cursor, took = None, []
        for _ in range(TICKS):
            context = dg.build_sensor_context(instance=instance, repository_def=repository, cursor=cursor)
            begin = time.perf_counter()
            result = sensor.evaluate_tick(context)
            took.append(time.perf_counter() - begin)
            cursor = result.cursor
    graph, now = graph_of(repository.asset_graph), time.time()
    state = State(
        {key: Build(now - 60, number, data_time=now - 90) for number, key in enumerate(graph.order)}
    )
    plans = []
    for _ in range(TICKS):
        begin = time.perf_counter()
        plan(now, graph, state)
        plans.append(time.perf_counter() - begin)
    return took[0], statistics.median(took[1:]), statistics.median(plans), len(cursor or "")


@click.command()
@click.argument("assets", nargs=-1, type=int)
def command(assets: tuple[int, ...]) -> None:
    """Seconds of a tick over toy graphs of ASSETS assets (default: 200 and 1000)."""
    logging.getLogger("dagster").setLevel(logging.ERROR)
    click.echo(f"{'assets':>7} {'first tick s':>13} {'next ticks s':>13} {'plan ms':>9} {'cursor KiB':>11}")
    for count in assets or SIZES:
        first, following, planned, cursor = measure(count)
        click.echo(
            f"{count:>7} {first:>13.3f} {following:>13.3f} {planned * 1000:>9.1f} {cursor / 1024:>11.1f}"
        )
