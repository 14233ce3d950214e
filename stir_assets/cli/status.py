"""`stir status`: what runs, where, and whether it answers right now."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

import click

from stir_assets.local.health import StatusReport, stack_status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def command(as_json: bool) -> None:
    """What runs, where, how healthy. Exit code 0 if all that should run answers, 3 otherwise."""
    report = stack_status(os.environ)
    if as_json:
        click.echo(json.dumps(asdict(report), indent=2))
    else:
        _print(report)
    if not report.healthy:
        sys.exit(3)


def _print(report: StatusReport) -> None:
    click.echo(f"{report.mode} stack in {report.home}: {report.summary}")
    if not report.services:
        return
    click.echo(f"{'service':<12} {'state':<14} {'address':<28} {'pid':>7} {'restarts':>8}  detail")
    for service in report.services:
        color = "green" if service.healthy else "red"
        state = click.style(f"{service.state:<14}", fg=color)
        click.echo(
            f"{service.name:<12} {state} {service.address:<28} {service.pid or '':>7} "
            f"{service.restarts:>8}  {service.detail}"
        )
        if service.last_failure:
            click.echo(f"{'':<12} last failure: {service.last_failure}")
            click.echo(f"{'':<12} log: {service.log}")
