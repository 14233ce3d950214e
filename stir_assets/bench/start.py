"""How long the three engines take to answer: `stir bench start [--runs N]`.

Each run has a home of its own in a temporary folder: a first start, which initialises the data directories, and
a second one on the same data.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from stir_assets.local.catalog import ENGINES
from stir_assets.local.ports import free_port_near
from stir_assets.local.stack import Stack

_FIRST_PORT = 23000


@contextmanager
def private_stack() -> Iterator[Stack]:
    """The engines' stack in a temporary home with free ports, not started; stopped and deleted afterwards."""
    taken: set[int] = set()
    for _ in ENGINES:
        taken.add(free_port_near(_FIRST_PORT, taken))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("STIR_", "AWS_", "PG"))}
    with tempfile.TemporaryDirectory(prefix="stir-bench-", ignore_cleanup_errors=True) as folder:
        ports: dict[str, int | None] = dict(zip(ENGINES, sorted(taken), strict=True))
        stack = Stack(Path(folder), ENGINES, ports=ports, env=env, owner=os.getpid())
        try:
            yield stack
        finally:
            stack.stop()


def seconds_to_start(stack: Stack) -> float:
    """Until all three engines answer a real query."""
    begin = time.perf_counter()
    stack.start()
    return time.perf_counter() - begin


@click.command()
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
def command(runs: int) -> None:
    """Seconds until ClickHouse, PostgreSQL and S3 answer: on empty folders, and again on their data."""
    first, second = [], []
    for _ in range(runs):
        with private_stack() as stack:
            first.append(seconds_to_start(stack))
            stack.stop()
            second.append(seconds_to_start(stack))
    click.echo(f"{'start':<24} {'median s':>9} {'least s':>9} {'most s':>9}")
    for name, taken in (("first, empty folders", first), ("again, same data", second)):
        click.echo(f"{name:<24} {statistics.median(taken):>9.2f} {min(taken):>9.2f} {max(taken):>9.2f}")
