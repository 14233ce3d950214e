"""`stir bench NAME`: the benchmarks, one module of `stir_assets/bench/` each with a click command named `command`.

They need packages and minutes that no other command does, so each is imported only when it is called.
"""

from __future__ import annotations

import importlib

import click

# name, which is also the module -> one-line help shown in the list
BENCHMARKS = {
    "imports": "Rows a minute of `stir import`.",
    "start": "Seconds until the three engines answer.",
    "server": "What the HTTP server around ClickHouse costs: per query, streaming, many at once.",
    "publish": "ClickHouse to PostgreSQL: Stir, the floor, the old way, dlt, ADBC, postgresql().",
    "tick": "What one decision of the freshness scheduler costs.",
    "latency": "From an event in ClickHouse to the row in PostgreSQL, on the running stack.",
    "housekeeping": "What Dagster's storage weighs after weeks, before and after housekeeping.",
    "soak": "The running stack by itself, with faults: promised against measured.",
    "models": "Time and peak memory of every dbt model, and how they grow with the data.",
}


class BenchGroup(click.Group):
    """Loads a benchmark's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHMARKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHMARKS:
            return None
        return importlib.import_module(f"stir_assets.bench.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Benchmarks"):
            formatter.write_dl(list(BENCHMARKS.items()))


@click.group(cls=BenchGroup)
def command() -> None:
    """Measure: each prints a table of medians and spread. Figures depend on the machine; nothing is asserted."""
