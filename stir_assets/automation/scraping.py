"""The scraper's flows as external assets: one look a minute at its log, reported with state and figures."""

# No `from __future__ import annotations` here: Dagster reads the annotations of the check at run time.

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from stir_assets.automation.check_results import as_result
from stir_assets.automation.graph import assets_of, graph_of
from stir_assets.core.durations import format_duration
from stir_assets.core.endangered import Endangered, endangered_by
from stir_assets.core.scheduling.model import Graph
from stir_assets.core.scraping.flows import FLOWS, feeding
from stir_assets.core.scraping.judge import Judgement, Standing, advance, judge
from stir_assets.core.scraping.model import FailureClass, FlowFacts, FlowState, FlowTerms
from stir_assets.core.scraping.query import read_flows
from stir_assets.resources.clickhouse import ClickHouseResource

INTERVAL_SECONDS = 60
# A success is news at most this often, and a flow without news is reported hourly for the plots: 28 flows are
# about 3,000 events a day at most.
NEWS_EVERY = 900.0
AT_LEAST_EVERY = 3600.0

STATE = "state"
REASONS = "because"
HEALTHY_CHECK = "healthy"
_DATA_TIME = "stir/data_time"


@dataclass(frozen=True)
class Reported:
    """What is remembered of a flow between two looks."""

    standing: Standing
    version: str
    at: float


@dataclass(frozen=True)
class FlowLook:
    """One flow at one look."""

    terms: FlowTerms
    facts: FlowFacts
    judgement: Judgement
    standing: Standing

    @property
    def version(self) -> str:
        """Data version: another one only when something new was scraped."""
        return str(int(self.facts.newest_success or 0))


def flow_specs(flows: Sequence[FlowTerms] = FLOWS) -> list[dg.AssetSpec]:
    """One external asset a flow; source tables depend on those that feed them."""
    return [
        dg.AssetSpec(
            dg.AssetKey(["scrape", terms.name]),
            group_name="scraping",
            owners=["team:scraping"],
            kinds={"scraper"},
            tags={"platform": terms.platform.lower()},
            description=(
                f"Requests of {terms.platform} to the scraper that appear in {', '.join(terms.feeds)}. "
                f"Stale when unanswered for {format_duration(terms.stale)}, down after {format_duration(terms.down)}."
            ),
        )
        for terms in flows
    ]


def fed_by_flows(sources: Sequence[dg.AssetSpec]) -> list[dg.AssetSpec]:
    """The source specs, each depending on the flows that fill it: the lineage begins at the scraper."""
    flows = feeding()
    return [
        spec.replace_attributes(deps=[dg.AssetKey.from_user_string(key) for key in flows[name]])
        if (name := spec.key.to_user_string()) in flows
        else spec
        for spec in sources
    ]


def looks(
    flows: Sequence[FlowTerms],
    facts: Mapping[str, FlowFacts],
    before: Mapping[str, Reported],
    now: float,
) -> list[FlowLook]:
    """Judges each flow that the log knows and moves its standing on."""
    found = []
    for terms in flows:
        if terms.name in facts:
            judgement = judge(terms, facts[terms.name])
            last = before.get(terms.name)
            standing = advance(last.standing if last else None, judgement.state, now)
            found.append(FlowLook(terms, facts[terms.name], judgement, standing))
    return found


def is_news(look: FlowLook, before: Reported | None, now: float) -> bool:
    """Whether this look is worth an event."""
    if before is None or before.standing.state != look.standing.state:
        return True
    waited = now - before.at
    return waited >= AT_LEAST_EVERY or (look.version != before.version and waited >= NEWS_EVERY)


def flow_event(look: FlowLook, graph: Graph) -> dg.AssetMaterialization:
    """The look as an event of the flow's asset; the numbers plot over time."""
    facts, standing = look.facts, look.standing
    endangered = endangered_by(graph, [look.terms.key])
    failed = {kind: facts.failed.get(kind, 0) for kind in FailureClass}
    metadata: dict[str, Any] = {
        STATE: str(standing.state),
        "state (0 healthy to 3 down)": int(standing.state),
        "in this state since": dg.MetadataValue.timestamp(standing.since),
        "requests in 6 hours": facts.requested,
        "successes in 6 hours": facts.succeeded,
        "waiting for pick-up": facts.pending,
        "in work": facts.processing,
        "stuck": facts.stuck,
        **{f"failed in 6 hours: {kind}": count for kind, count in failed.items()},
        "failure share (percent)": round(facts.failure_share * 100, 1),
        "unanswered": facts.unanswered,
        "unanswered for (minutes)": _minutes(facts.as_of, facts.unanswered_since),
        "oldest waiting (minutes)": _minutes(facts.as_of, facts.oldest_pending),
        "endangers": dg.MetadataValue.md(_endangers(endangered)),
    }
    if facts.oldest_pickup is not None:
        metadata["oldest in work (minutes)"] = _minutes(facts.as_of, facts.oldest_pickup)
    if facts.newest_success is not None:
        metadata[_DATA_TIME] = dg.MetadataValue.timestamp(facts.newest_success)
    if look.judgement.reasons:
        metadata[REASONS] = "; ".join(look.judgement.reasons)
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey.from_user_string(look.terms.key),
        metadata=metadata,
        tags={"dagster/data_version": look.version},
    )


def flow_check(look: FlowLook) -> dg.AssetCheckEvaluation:
    """The standing as a check, which the lineage view shows."""
    state = look.standing.state
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey.from_user_string(look.terms.key),
        check_name=HEALTHY_CHECK,
        passed=state is FlowState.HEALTHY,
        severity=dg.AssetCheckSeverity.ERROR if state >= FlowState.STALE else dg.AssetCheckSeverity.WARN,
        description="; ".join(look.judgement.reasons) or None,
        metadata={STATE: str(state)},
    )


def flow_sensor(flows: Sequence[FlowTerms] = FLOWS) -> dg.SensorDefinition:
    """Looks at the scraper's log every minute. A lost cursor costs one report of each flow."""

    @dg.sensor(
        name="scraping",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports the state of every scrape flow: newest success, backlog, failures by class.",
        required_resource_keys={"clickhouse"},
    )
    def scraping(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        assets = assets_of(context)
        clickhouse: ClickHouseResource = context.resources.clickhouse
        now = datetime.now(UTC).timestamp()
        with clickhouse.client() as client:
            facts = read_flows(client, flows, now)
        if not facts:
            return dg.SkipReason("the scraper's log is empty")
        before = parse_cursor(context.cursor)
        graph = graph_of(assets)
        events: list[Any] = []
        after: dict[str, Reported] = {}
        for look in looks(flows, facts, before, now):
            name, last = look.terms.name, before.get(look.terms.name)
            news = is_news(look, last, now)
            if news or last is None:
                events.append(flow_event(look, graph))
                if last is None or last.standing.state != look.standing.state:
                    events.append(flow_check(look))
                after[name] = Reported(look.standing, look.version, now)
            else:
                after[name] = Reported(look.standing, last.version, last.at)
        return dg.SensorResult(asset_events=events, cursor=_cursor(after))

    return scraping


def build_flow_checks(flows: Sequence[FlowTerms] = FLOWS) -> dg.AssetChecksDefinition:
    """`healthy` of every flow: the sensor reports it on each change; run by hand it looks anew, without memory."""

    @dg.multi_asset_check(
        name="scrape_flows",
        specs=[
            dg.AssetCheckSpec(
                HEALTHY_CHECK,
                asset=dg.AssetKey.from_user_string(terms.key),
                description="The flow's requests are answered in time and do not fail.",
            )
            for terms in flows
        ],
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, clickhouse: ClickHouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
        now = datetime.now(UTC).timestamp()
        with clickhouse.client() as client:
            facts = read_flows(client, flows, now)
        for look in looks(flows, facts, {}, now):
            if look.terms.key in wanted:
                yield as_result(flow_check(look))

    return check


def parse_cursor(cursor: str | None) -> dict[str, Reported]:
    """What was remembered; nothing when another version wrote it."""
    try:
        return {name: _reported(**entry) for name, entry in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _reported(standing: Mapping[str, Any], version: str, at: float) -> Reported:
    suggested = standing["suggested"]
    return Reported(
        Standing(
            FlowState(standing["state"]),
            standing["since"],
            None if suggested is None else FlowState(suggested),
            standing["suggested_since"],
        ),
        version,
        at,
    )


def _cursor(reported: Mapping[str, Reported]) -> str:
    return json.dumps({name: asdict(entry) for name, entry in reported.items()})


def _minutes(now: float, since: float | None) -> float:
    return 0.0 if since is None else round((now - since) / 60, 1)


def _endangers(endangered: Endangered) -> str:
    if not endangered.serving and not endangered.models:
        return "nothing that is built here"
    tables = "\n".join(f"- {key}" for key in endangered.serving)
    return f"{tables}\n- {len(endangered.models)} models: {', '.join(endangered.models)}"
