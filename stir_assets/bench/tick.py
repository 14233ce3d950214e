"""What one tick of the freshness sensor costs: `stir bench tick [ASSETS ...]`.

Toy assets in layers of a hundred, all built once and then evaluated, on SQLite in memory. Three kinds of tick: the
first of a process, which evaluates every condition; one in which nothing has happened; and one with news in a
source, for which the state is read anew.
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

        @dg.asset(
            name=f"asset{number}", deps=deps, metadata=metadata, automation_condition=freshness_driven()
        )
        def build() -> None: ...

        assets.append(build)
    return dg.Definitions(assets=assets, sensors=[freshness_sensor()])


def measure(count: int) -> tuple[float, float, float, float]:
    """Seconds of the first tick, then medians: of one without news, of one with, of the plan alone."""
    repository = definitions(count).get_repository_def()
    sensor = repository.get_sensor_def("freshness")
    with dg.DagsterInstance.ephemeral() as instance:
        for node in repository.asset_graph.asset_nodes:
            instance.report_runless_asset_event(dg.AssetMaterialization(node.key))
        cursor = None
        took: dict[bool, list[float]] = {False: [], True: []}
        for number in range(2 * TICKS + 1):
            news = number % 2 == 0
            if news:
                instance.report_runless_asset_event(dg.AssetMaterialization("source0"))
            context = dg.build_sensor_context(instance=instance, repository_def=repository, cursor=cursor)
            begin = time.perf_counter()
            result = sensor.evaluate_tick(context)
            took[news].append(time.perf_counter() - begin)
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
    with_news = took[True]
    return (
        with_news[0],
        statistics.median(took[False]),
        statistics.median(with_news[1:]),
        statistics.median(plans),
    )


@click.command()
@click.argument("assets", nargs=-1, type=int)
def command(assets: tuple[int, ...]) -> None:
    """Seconds of a tick over toy graphs of ASSETS assets (default: 200 and 1000)."""
    logging.getLogger("dagster").setLevel(logging.ERROR)
    click.echo(f"{'assets':>7} {'first tick s':>13} {'no news s':>10} {'news s':>8} {'plan ms':>9}")
    for count in assets or SIZES:
        first, idle, news, planned = measure(count)
        click.echo(f"{count:>7} {first:>13.3f} {idle:>10.3f} {news:>8.3f} {planned * 1000:>9.1f}")
