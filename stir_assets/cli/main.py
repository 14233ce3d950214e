"""The `stir` program. Each command is a module of this folder, imported only when it is called.

To add a command: one line in `COMMANDS` and a module with a click command named `command`.
"""

from __future__ import annotations

import importlib
import sys

import click

from stir_assets.errors import StirError

# name -> (module of this package, one-line help shown in the list)
COMMANDS = {
    "up": ("up", "Start the local engines and Dagster."),
    "down": ("down", "Stop what `up` started, nothing else."),
    "status": ("status", "What runs, where, how healthy."),
    "env": ("env", "Print export lines with which any client reaches the stack."),
    "seed": ("seed", "Fill every source table with a deterministic, believable world."),
    "import": ("import_", "Load real files into the source tables."),
    "run": ("run", "Materialize an asset selection now."),
    "demo": ("demo", "up + seed + run everything + print what was published."),
    "freshness": ("freshness", "What was promised, how old the data is, who is to blame."),
    "scraping": ("scraping", "The scraper's flows: newest success, backlog, failures, what they endanger."),
    "alerts": ("alerts", "Open incidents, and what people were told; --test sends a test message."),
    "plan": ("plan", "Simulate the declared terms against the old cron tiers."),
    "publications": ("publications", "Versions of the serving tables."),
    "rollback": ("rollback", "Put the previous version of a serving table back."),
    "phone-key": ("phone_key", "Store or replace the key with which phone numbers are hashed."),
    "bench": ("bench", "Measure publication, latency and the rest."),
}


class LazyGroup(click.Group):
    """A click group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"stir_assets.cli.{COMMANDS[cmd_name][0]}")
        return module.command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
def cli() -> None:
    """Stir: influencer-marketing analytics as one asset graph."""


def main() -> None:
    """Entry point: errors of ours are one clear line and exit code 1, never a traceback."""
    try:
        cli(standalone_mode=True)
    except StirError as error:
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
