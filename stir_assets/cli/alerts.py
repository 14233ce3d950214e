"""`stir alerts`: what people were told, what is still wrong, and whether it would arrive."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stir_assets.core.alerts.model import Memory, Message
    from stir_assets.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--last", default=10, show_default=True, help="How many messages.")
@click.option("--test", "test", is_flag=True, help="Send a test message to every channel that is set.")
def command(as_json: bool, last: int, test: bool) -> None:
    """Open incidents, and the last messages with their fate: sent, logged, failed, unknown.

    The same is on the page of the asset platform/alerts.
    """
    from stir_assets.local.connect import connected_settings

    settings = connected_settings()
    if test:
        _test(settings)
        return
    import dagster as dg

    from stir_assets.automation.alerts.store import load_memory

    with dg.DagsterInstance.get() as instance:
        memory = load_memory(instance)
    if as_json:
        shown = {
            "open": [asdict(entry) for entry in memory.incidents.values() if entry.closed_at is None],
            "waiting": [asdict(message) for message in memory.outbox],
            "messages": [asdict(message) for message in memory.history[-last:]],
        }
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    _show(memory, last)


def _show(memory: Memory, last: int) -> None:
    from stir_assets.core.alerts.words import clock

    opened = [incident for incident in memory.incidents.values() if incident.closed_at is None]
    for incident in sorted(opened, key=lambda incident: (-incident.severity, incident.opened_at)):
        color = "red" if str(incident.severity) == "critical" else "yellow"
        held = ", held for the morning" if incident.held else ""
        click.secho(
            f"{incident.severity}: {incident.title} (since {clock(incident.opened_at)} UTC, "
            f"{incident.owner}, {incident.channel}{held})",
            fg=color,
        )
    if not opened:
        click.secho("nothing is wrong", fg="green")
    for message in (*memory.history[-last:], *memory.outbox):
        _show_message(message)


def _show_message(message: Message) -> None:
    from stir_assets.core.alerts.words import clock

    fate = str(message.state) + (f": {message.problem}" if message.problem else "")
    click.secho(f"\n{clock(message.at)} {message.channel} {message.action} [{fate}]", fg="bright_black")
    click.echo(f"  {message.title}")
    for line in "\n".join(message.lines).splitlines():
        click.echo(f"    {line}")


def _test(settings: Settings) -> None:
    """One message a channel, past the outbox; says of each whether it arrived."""
    from stir_assets.core.alerts.model import Action, Message, Severity
    from stir_assets.errors import PermanentError
    from stir_assets.resources.defaults import alert_channel

    policy = settings.alert_policy
    if settings.slack_token is None:
        click.echo("STIR_SLACK_TOKEN is not set: alerts go to the log and to the asset platform/alerts")
        return
    channel: Any = alert_channel(settings)
    transport = channel.process_config_and_initialize().transport()
    failed = False
    for number, name in enumerate(sorted({policy.channel, *policy.routes.values()})):
        message = Message(
            number,
            Action.OPEN,
            "",
            name,
            "Stir: a test",
            ("Alerts arrive here.",),
            Severity.WARNING,
            time.time(),
        )
        try:
            transport.post(message, None)
            click.secho(f"{name}: arrived", fg="green")
        except Exception as problem:  # whatever it is, the person at the terminal wants to read it
            failed = True
            click.secho(f"{name}: {problem}", fg="red")
    if failed:
        raise PermanentError(
            "a test message did not arrive: docs/alerts.md names the scopes and the usual causes"
        )
