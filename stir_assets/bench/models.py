"""Time and memory of every dbt model: `stir bench models [--scale 1 --scale 10]`.

A stack of its own in a temporary folder, a generated world per scale. The models are built one at a time, so that a
figure belongs to one model; peak memory and CPU time are ClickHouse's own account of the statements (query log).
Growth is that of the CPU time, which does not depend on who else uses the machine.
The totals are whole `dbt build`s as users run them: two threads, parsing and start included.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
from clickhouse_connect.driver.client import Client

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import PermanentError
from stir_assets.local.catalog import ENGINES
from stir_assets.local.stack import Stack
from stir_assets.settings import DBT_PROJECT_DIR, Settings
from stir_assets.world.build import build_world

# Below it the growth of a model is the growth of noise.
_WORTH_SECONDS = 1.0
_MEMORY_LIMIT = 4 << 30

_STATEMENTS = r"""
    select
        extract(query, '"node_id": "model\\.stir\\.([a-z0-9_]+)"') as model,
        max(memory_usage) as peak,
        sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1e6 as cpu_seconds
    from system.query_log
    where type = 'QueryFinish' and model != '' and event_time >= {since:DateTime('UTC')}
    group by model
"""


@dataclass(frozen=True)
class Cost:
    """One model at one scale: seconds by the clock and of CPU, peak bytes, rows it ends with."""

    seconds: float
    cpu_seconds: float
    peak: int
    rows: int


@click.command()
@click.option("--scale", "scales", type=float, multiple=True, default=(1.0, 10.0), show_default=True)
@click.option("--top", type=int, default=25, show_default=True, help="Models shown; 0 shows all.")
@click.option("--totals/--no-totals", default=True, help="Also time whole builds, at the first scale.")
def command(scales: Sequence[float], top: int, totals: bool) -> None:
    """Seconds and peak memory of every model, slowest first, and how its CPU time grows from scale to scale.

    A model that grows worse than n log n, or needs more than 4 GiB, is marked with !.
    """
    with tempfile.TemporaryDirectory(prefix="stir-bench-") as folder:
        home = Path(folder)
        outside = {name: value for name, value in os.environ.items() if not name.startswith("STIR_")}
        stack = Stack(home / "stack", ENGINES, env=outside, owner=os.getpid())
        stack.start()
        try:
            environment = outside | stack.environment()
            with closing(clickhouse_client(Settings.from_env(environment).clickhouse)) as client:
                costs, rows = {}, {}
                for scale in scales:
                    begin = time.monotonic()
                    build_world(client, scale=scale, seed=7, replace=True)
                    rows[scale] = _world_rows(client)
                    click.echo(
                        f"scale {scale:g}: {rows[scale]:,} source rows, seeded in {time.monotonic() - begin:.0f} s"
                    )
                    costs[scale] = _build_one_by_one(client, environment, home)
                    if totals and scale == scales[0]:
                        _print_totals(environment, home)
        finally:
            stack.stop()
    for line in table(costs, rows, top):
        click.echo(line)


def _world_rows(client: Client) -> int:
    query = "select sum(total_rows) from system.tables where database not in ('stir', 'stir_keys', 'system')"
    return int(client.query(query).result_rows[0][0])


def _dbt(environment: Mapping[str, str], home: Path, *arguments: str) -> Path:
    target = home / "target"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--log-level-file", "none"),
            *(*arguments, "--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)),
            *("--target-path", str(target)),
        ],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PermanentError(f"dbt {' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return target / "run_results.json"


def _build_one_by_one(client: Client, environment: Mapping[str, str], home: Path) -> dict[str, Cost]:
    since = client.query("select now('UTC')").result_rows[0][0]
    results = json.loads(_dbt(environment, home, "run", "--threads", "1", "--full-refresh").read_text())[
        "results"
    ]
    client.command("system flush logs")
    statements = client.query(_STATEMENTS, parameters={"since": since}).result_rows
    used = {str(name): (int(peak), float(cpu)) for name, peak, cpu in statements}
    counted = client.query("select name, total_rows from system.tables where database = 'stir'").result_rows
    rows = {str(name): int(total) for name, total in counted}
    costs = {}
    for result in results:
        name = result["unique_id"].split(".")[-1]
        peak, cpu = used.get(name, (0, 0.0))
        costs[name] = Cost(result["execution_time"], cpu, peak, rows[name])
    return costs


def _print_totals(environment: Mapping[str, str], home: Path) -> None:
    wholes = {
        "without tests": ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
        "with data tests": ("--exclude-resource-type", "unit_test"),
        "with data tests and unit tests": (),
    }
    for name, excluded in wholes.items():
        begin = time.monotonic()
        results = json.loads(_dbt(environment, home, "build", "--full-refresh", *excluded).read_text())
        click.echo(
            f"dbt build {name}: {time.monotonic() - begin:.0f} s, of which dbt's own run {results['elapsed_time']:.0f} s"
        )


def growth_bound(before: int, after: int) -> float:
    """How many times longer an n log n program takes for `after` rows than for `before`."""
    return after * math.log(after) / (before * math.log(before))


def table(costs: Mapping[float, Mapping[str, Cost]], rows: Mapping[float, int], top: int) -> list[str]:
    """Lines of the report, slowest model of the largest scale first."""
    scales = sorted(costs)
    first, last = scales[0], scales[-1]
    order = sorted(costs[last], key=lambda name: -costs[last][name].cpu_seconds)
    head = "".join(f"{f's at {scale:g}':>10}{'cpu s':>8}{'MiB':>8}{'rows':>12}" for scale in scales)
    lines = [f"{'model':<52}{head}{'growth':>9}"]
    for name in order[: top or None]:
        cells = "".join(
            f"{cost.seconds:>10.2f}{cost.cpu_seconds:>8.1f}{cost.peak / 2**20:>8.0f}{cost.rows:>12,}"
            for cost in (costs[scale][name] for scale in scales)
        )
        lines.append(
            f"{name:<52}{cells}{_growth(costs[first][name], costs[last][name], rows[first], rows[last])}"
        )
    for scale in scales:
        total = sum(cost.seconds for cost in costs[scale].values())
        peak = max(cost.peak for cost in costs[scale].values()) / 2**20
        lines.append(
            f"{len(costs[scale])} models at scale {scale:g}: {total:.0f} s, highest peak {peak:.0f} MiB"
        )
    return lines


def _growth(small: Cost, large: Cost, rows_before: int, rows_after: int) -> str:
    marks = "!" if large.peak > _MEMORY_LIMIT else ""
    if rows_after <= rows_before:
        return f"{marks:>9}"
    factor = large.cpu_seconds / max(small.cpu_seconds, 0.01)
    if large.cpu_seconds > _WORTH_SECONDS and factor > growth_bound(rows_before, rows_after):
        marks += "!"
    return f"{factor:>7.1f}x{marks:<2}"
