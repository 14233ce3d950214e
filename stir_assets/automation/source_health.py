"""Clock, lateness and volume of every source: looked at every ten minutes, reported as checks of its asset."""

# No `from __future__ import annotations` here: Dagster reads the annotations of the check at run time.

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client

from stir_assets.automation.check_results import as_result
from stir_assets.core.source_health.judge import Check, SourceFacts, Verdict, checks_of, verdicts
from stir_assets.core.source_health.query import full_hour, missing_tables, read_sources
from stir_assets.core.source_health.terms import WatchTerms
from stir_assets.resources.clickhouse import ClickHouseResource

INTERVAL_SECONDS = 600
_DESCRIPTIONS = {
    Check.CLOCK: "No events from the future: the clock of what writes them is right.",
    Check.LATE: "Rows arrive in time after their event.",
    Check.VOLUME: "As many rows as are usual at this hour of the week.",
}


def check_key(source: str, check: Check) -> dg.AssetCheckKey:
    """The check of a source as Dagster knows it."""
    return dg.AssetCheckKey(dg.AssetKey.from_user_string(source), str(check))


def look(
    client: Client, sources: Sequence[WatchTerms], now: float, *, volumes: bool
) -> dict[str, tuple[SourceFacts, list[Verdict]]]:
    """Facts and verdicts of each source whose table exists."""
    missing = missing_tables(client, sources)
    there = [terms for terms in sources if terms.key not in missing]
    facts = read_sources(client, there, now, volumes=volumes)
    return {terms.key: (facts[terms.key], verdicts(terms, facts[terms.key])) for terms in there}


def evaluation(source: str, verdict: Verdict) -> dg.AssetCheckEvaluation:
    """A verdict as an event. A warning: the source's promise is what counts as an error."""
    key = check_key(source, verdict.check)
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=verdict.text or None,
        metadata=verdict.figures,
    )


def source_health_sensor(sources: Sequence[WatchTerms]) -> dg.SensorDefinition:
    """Checks are reported when they change, figures once an hour: some 700 events a day."""

    @dg.sensor(
        name="source_health",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for events from the future, late rows and unusual volumes in every source.",
        required_resource_keys={"clickhouse"},
    )
    def source_health(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        clickhouse: ClickHouseResource = context.resources.clickhouse
        now = datetime.now(UTC).timestamp()
        before, hour = _parse(context.cursor), full_hour(now)
        hourly = before.get("hour") != hour
        with clickhouse.client() as client:
            found = look(client, sources, now, volumes=hourly)
        passed = dict(before.get("passed", {}))
        events: list[Any] = []
        for source, (_, verdicts_) in found.items():
            for verdict in verdicts_:
                name = f"{source}:{verdict.check}"
                if passed.get(name) != verdict.passed:
                    events.append(evaluation(source, verdict))
                passed[name] = verdict.passed
            if hourly and (figures := _figures(verdicts_)):
                # An observation: it plots, and neither planner nor policy takes it for news.
                events.append(dg.AssetObservation(dg.AssetKey.from_user_string(source), metadata=figures))
        cursor = json.dumps({"hour": hour, "passed": passed})
        if not events:
            context.update_cursor(cursor)
            return dg.SkipReason("nothing changed")
        return dg.SensorResult(asset_events=events, cursor=cursor)

    return source_health


def build_source_checks(sources: Sequence[WatchTerms]) -> dg.AssetChecksDefinition:
    """The checks of all sources: the sensor reports them on each change; run by hand they look anew."""

    @dg.multi_asset_check(
        name="source_health",
        specs=[
            dg.AssetCheckSpec(
                str(check), asset=dg.AssetKey.from_user_string(terms.key), description=_DESCRIPTIONS[check]
            )
            for terms in sources
            for check in checks_of(terms)
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, clickhouse: ClickHouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        with clickhouse.client() as client:
            found = look(client, sources, datetime.now(UTC).timestamp(), volumes=True)
        for source, (_, verdicts_) in found.items():
            for verdict in verdicts_:
                if check_key(source, verdict.check) in context.selected_asset_check_keys:
                    yield as_result(evaluation(source, verdict))

    return check


def _figures(found: Sequence[Verdict]) -> dict[str, float]:
    return {name: value for verdict in found for name, value in verdict.figures.items()}


def _parse(cursor: str | None) -> Mapping[str, Any]:
    try:
        return dict(json.loads(cursor or "{}"))
    except (ValueError, TypeError):
        return {}
