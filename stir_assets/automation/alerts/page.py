"""The page of alerts: the asset platform/alerts, whose metadata holds open incidents and the last messages."""

from __future__ import annotations

import dagster as dg

from stir_assets.core.alerts.blocks import shown
from stir_assets.core.alerts.model import Delivery, Memory, Message, Severity
from stir_assets.core.alerts.words import clock

PAGE_KEY = dg.AssetKey(["platform", "alerts"])
_MESSAGES_SHOWN = 25


def page_spec() -> dg.AssetSpec:
    """The page as an external asset: the alerts sensor reports it whenever something was told."""
    return dg.AssetSpec(
        PAGE_KEY,
        description="Open incidents and what was told of them. The same messages go to Slack, or to the log.",
        group_name="platform",
        owners=["team:data-platform"],
    )


def page_event(memory: Memory) -> dg.AssetMaterialization:
    """The page as it is now."""
    opened = [incident for incident in memory.incidents.values() if incident.closed_at is None]
    rows = [
        f"| {incident.severity} | {incident.title} | {clock(incident.opened_at)} | {incident.owner} "
        f"| {incident.channel}{' (held)' if incident.held else ''} | {len(incident.told)} |"
        for incident in sorted(opened, key=lambda incident: (-incident.severity, incident.opened_at))
    ]
    table = "\n".join(
        [
            "| severity | incident | since (UTC) | owner | channel | findings |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )
    recent = [_message(message) for message in reversed(memory.history[-_MESSAGES_SHOWN:])]
    return dg.AssetMaterialization(
        asset_key=PAGE_KEY,
        metadata={
            "open incidents": len(opened),
            "critical": sum(incident.severity is Severity.CRITICAL for incident in opened),
            "messages not delivered": sum(
                message.state in (Delivery.FAILED, Delivery.UNKNOWN) for message in memory.history
            ),
            "waiting to be sent": len(memory.outbox),
            "incidents": dg.MetadataValue.md(table if rows else "Nothing is wrong."),
            "messages": dg.MetadataValue.md("\n\n---\n\n".join(recent) or "None so far."),
        },
    )


def _message(message: Message) -> str:
    fate = str(message.state) + (f": {message.problem}" if message.problem else "")
    return f"**{message.title}** · {clock(message.at)} · {message.channel} · {fate}\n\n{shown(message.lines)}"
