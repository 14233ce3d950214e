"""What is wrong now, from the freshness report, the failed runs, the scrape flows and the checks of the sources.

Each finding is attributed to a root cause: the source whose data stopped, the asset that fails, the engine that
does not answer, the scraper. A promise belongs to the root at the end of its blame path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from stir_assets.automation.alerts.failing_sensors import FailingSensor
from stir_assets.core.alerts.model import Finding, Kind, Severity
from stir_assets.core.durations import format_duration
from stir_assets.core.endangered import endangered_by
from stir_assets.core.scheduling.model import Failures, Graph
from stir_assets.core.scheduling.report import AssetFreshness, Freshness
from stir_assets.core.scraping.flows import FLOWS, feeding

PLATFORM = "platform"


@dataclass(frozen=True)
class FlowStanding:
    """A scrape flow as its sensor last reported it."""

    state: str
    reasons: str = ""


@dataclass(frozen=True)
class SourceProblem:
    """A failed check of a source."""

    source: str
    kind: Kind
    text: str


@dataclass(frozen=True)
class Situation:
    """All that findings are made from."""

    now: float
    graph: Graph
    assets: Sequence[AssetFreshness]
    failures: Mapping[str, Failures] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flows: Mapping[str, FlowStanding] = field(default_factory=dict)
    """By flow name."""
    problems: Sequence[SourceProblem] = ()
    sensors: Sequence[FailingSensor] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    """Team by asset, without `team:`."""
    attempts: int = 4
    """After so many failures the planner waits for a person."""


def findings_of(situation: Situation) -> list[Finding]:
    """Everything that is wrong, causes first."""
    found = _Findings(situation)
    return [*found.sensors(), *found.flows(), *found.sources(), *found.failures(), *found.promises()]


class _Findings:
    def __init__(self, situation: Situation) -> None:
        self.situation, self.graph = situation, situation.graph
        self.report = {asset.key: asset for asset in situation.assets}
        self.feeders = feeding()

    # -- causes

    def sensors(self) -> Iterator[Finding]:
        for sensor in self.situation.sensors:
            yield Finding(
                root=PLATFORM,
                subject=f"sensor {sensor.name}",
                kind=Kind.SENSOR_FAILING,
                severity=Severity.CRITICAL,
                text=f"Its last ticks all failed, what it decides or watches stands still: {sensor.error}",
                owner="data-platform",
                path="automation",
            )

    def flows(self) -> Iterator[Finding]:
        for terms in FLOWS:
            standing = self.situation.flows.get(terms.name)
            if standing is None or standing.state not in ("stale", "down"):
                continue
            down = standing.state == "down"
            yield Finding(
                root=f"scrape:{terms.platform}",
                subject=terms.key,
                kind=Kind.FLOW_DOWN if down else Kind.FLOW_STALE,
                severity=Severity.CRITICAL if down else Severity.WARNING,
                text=f"{standing.reasons}\nEndangers {endangered_by(self.graph, [terms.key])}.",
                owner="scraping",
                path=f"assets/{terms.key}",
                related=_unique(_source_root(table) for table in terms.feeds),
            )

    def sources(self) -> Iterator[Finding]:
        for asset in self.situation.assets:
            if not asset.managed and asset.state is Freshness.BROKEN:
                endangered = endangered_by(self.graph, [asset.key])
                text = f"{self._silence(asset)}; promised {asset.terms}.\nEndangers {endangered}."
                severity = Severity.CRITICAL if endangered.serving else Severity.WARNING
                yield self._source(asset.key, Kind.SOURCE_STOPPED, severity, text)
        for problem in self.situation.problems:
            if problem.kind is not Kind.SOURCE_CLOCK and self._is_stopped(problem.source):
                continue  # that nothing comes is said already
            yield self._source(problem.source, problem.kind, Severity.WARNING, problem.text)

    def _is_stopped(self, key: str) -> bool:
        return key in self.report and self.report[key].state is Freshness.BROKEN

    def _silence(self, asset: AssetFreshness) -> str:
        if asset.lag is None:
            return "it is empty"
        text = f"newest event is {_words(asset.lag)} old"
        arrived = None if asset.built_at is None else self.situation.now - asset.built_at
        if arrived is None or asset.terms is None:
            return text
        if arrived < asset.lag / 2:
            return f"{text}, though rows arrived {_words(arrived)} ago: what fills it lags behind"
        return f"{text}, nothing arrived for {_words(arrived)}"

    def _source(self, key: str, kind: Kind, severity: Severity, text: str) -> Finding:
        return Finding(
            root=_source_root(key),
            subject=key,
            kind=kind,
            severity=severity,
            text=text,
            owner=self._owner(key),
            path=f"assets/{key}",
            related=self._related(key),
        )

    def _related(self, source: str) -> tuple[str, ...]:
        """The scraper's flows that fill it, and what else they fill: one outage shows in all of them."""
        platforms = {terms.key: terms for terms in FLOWS}
        flows = [platforms[key] for key in self.feeders.get(source, ())]
        return _unique(
            [
                *(f"scrape:{terms.platform}" for terms in flows),
                *(_source_root(table) for terms in flows for table in terms.feeds),
            ]
        )

    def failures(self) -> Iterator[Finding]:
        for key, failures in sorted(self.situation.failures.items()):
            if not failures.count:
                continue
            detail = self.situation.details.get(key, {})
            error, run, guard = detail.get("error", ""), detail.get("run", ""), detail.get("guard")
            given_up = failures.count >= self.situation.attempts
            kind = Kind.REFUSED if guard else Kind.GIVEN_UP if given_up else Kind.RUN_FAILED
            text = f"guard {guard}: {error}" if guard else error
            if given_up:
                text += f"\nGiven up after {failures.count} failures: mend it, then materialize it by hand."
            yield Finding(
                root=self._failure_root(key),
                subject=key,
                kind=kind,
                severity=Severity.CRITICAL if given_up else Severity.WARNING,
                text=text,
                owner=self._owner(key),
                path=f"runs/{run}" if run else f"assets/{key}",
            )

    def _failure_root(self, key: str) -> str:
        cause = self.situation.details.get(key, {}).get("cause")
        return f"cause:{cause}" if cause else f"asset:{key}"

    # -- effects

    def promises(self) -> Iterator[Finding]:
        for asset in self.situation.assets:
            if not asset.managed or asset.state not in (Freshness.AT_RISK, Freshness.BROKEN):
                continue
            broken = asset.state is Freshness.BROKEN
            root, related = self._blamed(asset)
            blamed = asset.blame[-1] if asset.blame else asset.key
            because = asset.reason if blamed == asset.key else f"{blamed}: {asset.reason}"
            lag = "" if asset.lag is None else f"{_words(asset.lag)} old, "
            yield Finding(
                root=root,
                subject=asset.key,
                kind=Kind.BROKEN if broken else Kind.AT_RISK,
                severity=Severity.CRITICAL if broken else Severity.WARNING,
                text=f"{lag}promised {asset.terms}; because of {because}",
                owner=self._owner(asset.key),
                path=f"assets/{asset.key}",
                related=related,
            )

    def _blamed(self, asset: AssetFreshness) -> tuple[str, tuple[str, ...]]:
        for key in reversed(asset.blame):
            failures = self.situation.failures.get(key)
            if failures is not None and failures.count:
                return self._failure_root(key), ()
        last = asset.blame[-1] if asset.blame else asset.key
        if last in self.report and not self.report[last].managed:
            return _source_root(last), self._related(last)
        # Nobody failed and no source is late: Stir itself is behind.
        return PLATFORM, ()

    def _owner(self, key: str) -> str:
        return self.situation.owners.get(key, "data-platform")


def _source_root(key: str) -> str:
    """Tables of one schema come over one way, so they stop together."""
    return f"source:{key.split('/')[0]}"


def _words(seconds: float) -> str:
    return format_duration(timedelta(minutes=max(1, round(seconds / 60))))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
