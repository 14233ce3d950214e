"""`stir down`: stop what `stir up` started, nothing else."""

from __future__ import annotations

import click

from stir_assets.local.stack import Stack


@click.command()
def command() -> None:
    """Stop what `up` started, nothing else. Data stays."""
    stack = Stack(notify=lambda line: click.echo(line, err=True))
    stopped = stack.stop()
    if stopped:
        click.echo(f"stopped {', '.join(stopped)}; data stays in {stack.home.root}")
    else:
        click.echo(f"nothing runs in {stack.home.root}")
