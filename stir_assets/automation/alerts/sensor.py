"""The sensor that tells people: looks every 30 seconds, tells each thing once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from stir_assets.automation.alerts.failing_sensors import failing_sensors
from stir_assets.automation.alerts.failures import failure_details
from stir_assets.automation.alerts.findings import FlowStanding, Situation, SourceProblem, findings_of
from stir_assets.automation.alerts.page import page_event
from stir_assets.automation.alerts.store import load_memory, save_memory
from stir_assets.automation.decide import POLICY, steps_of
from stir_assets.automation.durations import Durations
from stir_assets.automation.freshness import Clock, Platform, observe_platform, wall_clock
from stir_assets.automation.graph import assets_of, graph_of
from stir_assets.core.alerts.delivery import deliver
from stir_assets.core.alerts.incidents import step
from stir_assets.core.alerts.model import Finding, Kind, Memory
from stir_assets.core.alerts.policy import AlertPolicy
from stir_assets.core.alerts.words import redact
from stir_assets.core.scheduling.report import Freshness
from stir_assets.core.source_health.judge import Check
from stir_assets.resources.slack import AlertChannel

INTERVAL_SECONDS = 30


def alert_sensor(
    policy: AlertPolicy,
    *,
    ui_url: str = "",
    secrets: Sequence[str] = (),
    clock: Clock = wall_clock,
) -> dg.SensorDefinition:
    """Watches promises, failures, flows and sources. Tests pass a `clock`.

    `secrets` are values that must not appear in any message. They stay in this process.
    """
    durations = Durations()

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people what is wrong, once an incident: to Slack, or to the log and platform/alerts.",
        required_resource_keys={"alert_channel"},
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        instance, assets, moment = context.instance, assets_of(context), clock()
        channel: AlertChannel = context.resources.alert_channel
        memory = load_memory(instance)
        situation = situation_of(instance, assets, memory, moment, durations)
        findings = [_without_secrets(finding, secrets) for finding in findings_of(situation)]
        looked = step(
            replace(memory, details=situation.details),
            findings,
            moment,
            policy,
            base_url=ui_url,
            summary=summary_of(situation),
        )
        if looked != memory:
            save_memory(instance, looked)
        told = deliver(
            looked,
            channel.transport(),
            moment,
            lambda changed: save_memory(instance, changed),
            default_channel=policy.channel,
            keep_history=policy.keep_history,
        )
        if told.history == memory.history and told.outbox == memory.outbox:
            return dg.SkipReason("nothing new to tell")
        return dg.SensorResult(asset_events=[page_event(told)])

    return alerts


def situation_of(
    instance: dg.DagsterInstance,
    assets: BaseAssetGraph,
    memory: Memory,
    moment: float,
    durations: Durations | None = None,
) -> Situation:
    """What is known now, from the instance alone."""
    steps = steps_of(assets)
    platform = observe_platform(instance, graph_of(assets), durations, steps=steps, now=moment)
    return Situation(
        now=platform.now,
        graph=platform.graph,
        assets=platform.assets,
        failures=platform.state.failures,
        details=failure_details(instance, platform.state.failures, memory.details, steps),
        flows=_flows(platform),
        problems=_problems(instance, assets),
        sensors=failing_sensors(instance, moment),
        owners={
            node.key.to_user_string(): node.owners[0].removeprefix("team:")
            for node in assets.asset_nodes
            if node.owners
        },
        attempts=POLICY.attempts,
    )


def _flows(platform: Platform) -> dict[str, FlowStanding]:
    """Flows as their sensor reported them, from the metadata of their last event."""
    found = {}
    for key, record in platform.records.items():
        materialization = record.asset_materialization
        if key.startswith("scrape/") and materialization is not None:
            metadata = materialization.metadata
            found[key.removeprefix("scrape/")] = FlowStanding(
                _text(metadata, "state"), _text(metadata, "because")
            )
    return found


def _text(metadata: Mapping[str, Any], name: str) -> str:
    return str(metadata[name].value) if name in metadata else ""


_KINDS = {
    str(Check.CLOCK): Kind.SOURCE_CLOCK,
    str(Check.LATE): Kind.SOURCE_LATE,
    str(Check.VOLUME): Kind.SOURCE_VOLUME,
}


def _problems(instance: dg.DagsterInstance, assets: BaseAssetGraph) -> list[SourceProblem]:
    """Checks of sources that failed when they were last evaluated: one query."""
    keys = [
        key
        for key in assets.asset_check_keys
        if key.name in _KINDS and not assets.get(key.asset_key).is_executable
    ]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys) if keys else {}
    found = []
    for key, record in sorted(records.items()):
        if record.status is AssetCheckExecutionRecordStatus.FAILED and record.event is not None:
            event = record.event.dagster_event
            text = event.asset_check_evaluation_data.description if event else None
            found.append(SourceProblem(key.asset_key.to_user_string(), _KINDS[key.name], text or ""))
    return found


def summary_of(situation: Situation) -> list[str]:
    """The daily digest: promises kept, flows, failures."""
    promised = [asset for asset in situation.assets if asset.managed and asset.terms is not None]
    kept = sum(asset.state is Freshness.FRESH for asset in promised)
    flows = [standing.state for standing in situation.flows.values()]
    healthy = sum(state == "healthy" for state in flows)
    failing = sum(failure.count > 0 for failure in situation.failures.values())
    lines = [f"*{kept} of {len(promised)} promises* are kept now; {failing} assets fail."]
    if flows:
        lines.append(f"*{healthy} of {len(flows)} scrape flows* are healthy.")
    return lines


def _without_secrets(finding: Finding, secrets: Sequence[str]) -> Finding:
    return replace(finding, text=redact(finding.text, secrets))
