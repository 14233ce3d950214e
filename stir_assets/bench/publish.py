"""ClickHouse to PostgreSQL, against the floor and against other ways: `stir bench publish`.

A stack of its own in a temporary folder. The ways take turns, each time in a new process, with a checkpoint and an
empty schema before; so a slow minute of the machine meets all of them. `floor` is the least that can be: PostgreSQL's
own COPY of the same bytes from a file on its disk.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import psutil
import psycopg

from stir_assets.bench.publish_table import SCHEMA, fill, target
from stir_assets.bench.publish_ways import WAYS
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.local.catalog import ENGINES
from stir_assets.local.config import StackConfig
from stir_assets.local.stack import Stack
from stir_assets.settings import Settings

_SERVERS: tuple[str, ...] = ("clickhouse", "postgres", "s3")


@dataclass(frozen=True)
class Run:
    """One run of one way: seconds, CPU seconds by process, peak resident bytes of the client."""

    seconds: float
    steps: Mapping[str, float]
    cpu: Mapping[str, float]
    peak: int
    note: str


@click.command()
@click.option("--rows", type=int, default=1_000_000, show_default=True)
@click.option("--repeat", type=int, default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(WAYS)), help="Ways to run; all when not given.")
@click.option("--steps", is_flag=True, help="Also print the seconds of every step.")
def command(rows: int, repeat: int, only: Sequence[str], steps: bool) -> None:
    """Seconds, CPU and memory of a table of 34 columns on its way from ClickHouse to PostgreSQL.

    Medians over the repeats, with the fastest and the slowest. Packages of dlt and ADBC: `pip install 'stir[bench]'`.
    """
    ways = [way for way in WAYS if not only or way in only]
    runs: dict[str, list[Run]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="stir-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL reads files here
        outside = {name: value for name, value in os.environ.items() if not name.startswith("STIR_")}
        stack = Stack(folder / "stack", ENGINES, env=outside, owner=os.getpid())
        stack.start()
        try:
            bench = _Bench(stack, outside, folder)
            with closing(clickhouse_client(bench.settings.clickhouse)) as client:
                fill(client, rows)
            click.echo(
                f"{rows:,} rows x {len(target(indexed=False).columns)} columns, {repeat} times in turn"
            )
            for _ in range(repeat):
                for way in ways:
                    runs[way].append(bench.run(way, rows))
        finally:
            stack.stop()
    for line in table(runs):
        click.echo(line)
    if steps:
        for line in step_lines(runs):
            click.echo(line)


class _Bench:
    """The stack and what the ways need of it."""

    def __init__(self, stack: Stack, outside: Mapping[str, str], folder: Path) -> None:
        config = StackConfig.load(stack.home.config_file)
        assert config is not None  # noqa: S101 - written by the start
        self.stack, self.folder = stack, folder
        environment = stack.environment()
        self.settings = Settings.from_env(environment)
        parts = urlsplit(self.settings.postgres_dsn)
        place = parts._replace(
            netloc=f"postgres:{config.postgres_admin_password}@{parts.hostname}:{parts.port}"
        )
        self.admin_dsn = place.geturl()
        self.environment = {**outside, **environment, "BENCH_ADMIN_DSN": self.admin_dsn}

    def run(self, way: str, rows: int) -> Run:
        """One way, from an empty schema. Raises a click error with the way's own last words."""
        self._clean()
        before = self._cpu()
        command = [sys.executable, "-m", "stir_assets.bench.publish_ways", way, str(self.folder)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        cpu = {server: value - before[server] for server, value in self._cpu().items()}
        if done.returncode != 0:
            raise click.ClickException(f"{way}: {done.stderr.strip()[-1500:]}")
        outcome: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        if outcome["rows"] != rows:
            raise click.ClickException(f"{way} delivered {outcome['rows']} of {rows} rows")
        return Run(
            outcome["total"],
            outcome["seconds"],
            {"client": outcome["cpu"], **cpu},
            outcome["peak"],
            outcome["note"],
        )

    def _clean(self) -> None:
        schemas = ", ".join((SCHEMA, f"{SCHEMA}_staging", "stir_publish", "stir"))
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            for statement in (
                f"drop schema if exists {schemas} cascade",
                f"create schema {SCHEMA} authorization {self._user()}",
                "checkpoint",
            ):
                connection.execute(statement.encode())

    def _user(self) -> str:
        return str(urlsplit(self.settings.postgres_dsn).username)

    def _cpu(self) -> dict[str, float]:
        """CPU seconds of every server's processes, those that have ended included."""
        state = self.stack.state()
        assert state is not None  # noqa: S101 - it runs
        used = dict.fromkeys(_SERVERS, 0.0)
        for service in state.services.values():
            if service.name in used and service.process is not None:
                used[service.name] = _tree_cpu(service.process.pid)
        return used


def _tree_cpu(pid: int) -> float:
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total


def table(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """The figures as a Markdown table; the fastest floor is what every way is compared with."""
    floor = statistics.median(run.seconds for run in runs["floor"]) if runs.get("floor") else None
    lines = [
        "| way | median s | fastest, slowest | of the floor | CPU s: client | ClickHouse | PostgreSQL | S3 | client MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for way, done in runs.items():
        times = [run.seconds for run in done]
        median = statistics.median(times)
        ratio = f"{median / floor:.2f}" if floor else "-"
        cpu = [statistics.median(run.cpu[name] for run in done) for name in ("client", *_SERVERS)]
        cells = [
            way, f"{median:.2f}", f"{min(times):.2f}, {max(times):.2f}", ratio, *(f"{value:.1f}" for value in cpu),
            f"{max(run.peak for run in done) / 1e6:.0f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def step_lines(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """Median seconds of each step of each way."""
    lines = []
    for way, done in runs.items():
        medians = {name: statistics.median(run.steps[name] for run in done) for name in done[0].steps}
        shown = ", ".join(f"{name} {value:.2f}" for name, value in medians.items())
        lines.append(f"{way}: {shown} ({done[-1].note})" if done[-1].note else f"{way}: {shown}")
    return lines
