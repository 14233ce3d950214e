"""`stir env`: the settings of the stack as shell exports."""

from __future__ import annotations

import shlex

import click

from stir_assets.local.environment import load_stack_environment


@click.command()
def command() -> None:
    """Print export lines with which any client reaches the stack: `eval "$(stir env)"`.

    They contain passwords: do not paste them into logs.
    """
    for name, value in sorted(load_stack_environment().items()):
        click.echo(f"export {name}={shlex.quote(value)}")
