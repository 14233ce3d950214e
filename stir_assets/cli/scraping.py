"""`stir scraping`: the scraper's flows, how they answer, and what a silent one endangers."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from stir_assets.automation.scraping import FlowLook

_COLORS = {"healthy": "green", "at risk": "yellow", "stale": "red", "down": "bold red"}
_BAD = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option("--late", is_flag=True, help="Only what is not healthy.")
def command(as_json: bool, late: bool) -> None:
    """The state of every scrape flow, from the scraper's own log as it is now.

    Counts are of the last six hours. Exit code 3 if a flow is stale or down.
    """
    from stir_assets.automation.graph import graph_of
    from stir_assets.automation.scraping import looks
    from stir_assets.build import build_definitions
    from stir_assets.core.clickhouse import clickhouse_client
    from stir_assets.core.endangered import endangered_by
    from stir_assets.core.scraping.flows import FLOWS
    from stir_assets.core.scraping.model import FlowState
    from stir_assets.core.scraping.query import read_flows
    from stir_assets.local.connect import connected_settings

    settings = connected_settings()
    now = time.time()
    client = clickhouse_client(settings.clickhouse)
    try:
        facts = read_flows(client, FLOWS, now)
    finally:
        client.close()
    found = [
        look
        for look in looks(FLOWS, facts, {}, now)
        if not (late and look.judgement.state is FlowState.HEALTHY)
    ]
    graph = graph_of(build_definitions(settings).get_repository_def().asset_graph)
    endangered = {look.terms.name: endangered_by(graph, [look.terms.key]) for look in found}
    if as_json:
        flows = [_as_json(look, endangered[look.terms.name]) for look in found]
        click.echo(json.dumps({"at": _time(now), "flows": flows}, indent=2))
    elif not facts:
        click.echo("the scraper's log is empty")
    else:
        Console(width=None if sys.stdout.isatty() else 250).print(_table(found, endangered))
    if any(look.judgement.state >= FlowState.STALE for look in found):
        sys.exit(_BAD)


def _table(found: list[FlowLook], endangered: dict[str, Any]) -> Table:
    from stir_assets.automation.freshness import lag_words
    from stir_assets.core.scraping.model import FailureClass

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (
        *("flow", "state", "newest success", "asked", "done", "waiting", "in work", "stuck"),
        *("204", "409", "429", "other", "because of", "endangers"),
    ):
        table.add_column(name, overflow="fold" if name in ("flow", "because of", "endangers") else "ellipsis")
    for look in sorted(found, key=lambda look: (-look.judgement.state, look.terms.platform, look.terms.name)):
        facts, state = look.facts, str(look.judgement.state)
        success = None if facts.newest_success is None else facts.as_of - facts.newest_success
        waiting = (
            "0"
            if facts.oldest_pending is None
            else f"{facts.pending} for {lag_words(facts.as_of - facts.oldest_pending)}"
        )
        unhealthy = state != "healthy"
        table.add_row(
            look.terms.name,
            f"[{_COLORS[state]}]{state}[/]",
            "-" if success is None else f"{lag_words(success)} ago",
            str(facts.requested),
            str(facts.succeeded),
            waiting,
            str(facts.processing),
            str(facts.stuck),
            *(str(facts.failed.get(kind, 0)) for kind in FailureClass),
            "; ".join(look.judgement.reasons),
            str(endangered[look.terms.name]) if unhealthy else "",
        )
    if found:
        table.caption = f"as of the log's newest entry, {_time(found[0].facts.as_of)}"
    return table


def _as_json(look: FlowLook, endangered: Any) -> dict[str, Any]:
    facts = look.facts
    return {
        "flow": look.terms.name,
        "platform": look.terms.platform,
        "state": str(look.judgement.state),
        "because": list(look.judgement.reasons),
        "as_of": _time(facts.as_of),
        "newest_success": _time(facts.newest_success),
        "newest_request": _time(facts.newest_request),
        "requests": facts.requested,
        "successes": facts.succeeded,
        "failed": {str(kind): count for kind, count in facts.failed.items()},
        "waiting": facts.pending,
        "oldest_waiting": _time(facts.oldest_pending),
        "in_work": facts.processing,
        "stuck": facts.stuck,
        "unanswered": facts.unanswered,
        "unanswered_since": _time(facts.unanswered_since),
        "feeds": list(look.terms.feeds),
        "endangers": {"serving": list(endangered.serving), "models": list(endangered.models)},
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
