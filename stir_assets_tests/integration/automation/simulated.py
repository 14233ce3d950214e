"""A small graph on a real Dagster instance, driven tick by tick with a simulated clock.

The sensor, the conditions and the runs are Dagster's own: requests of a tick are executed in process, with the
provenance tags that Dagster records. Only time is simulated.
"""

# No `from __future__ import annotations` here: Dagster reads the annotations of an asset when it is defined.

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.test_utils import freeze_time

from stir_assets.automation.condition import freshness_driven
from stir_assets.automation.data_times import data_time_metadata, data_time_of
from stir_assets.automation.graph import DATA_TIME, terms_metadata
from stir_assets.automation.sensors import freshness_sensor
from stir_assets.core.freshness import parse_terms
from stir_assets.policies import freshness_policy

START = datetime(2030, 1, 2, 12, 0, tzinfo=UTC)
TICK = timedelta(seconds=15)


def asset(
    name: str,
    deps: Sequence[str] = (),
    freshness: Mapping[str, str] | None = None,
    *,
    broken: set[str] | None = None,
    group: str = "family",
    metadata: Mapping[str, Any] | None = None,
    driven: bool = True,
    seconds: float = 5.0,
) -> dg.AssetsDefinition:
    """A toy asset with terms as in a model's yml; it fails while its name is in `broken`."""
    terms = parse_terms(freshness, where=name)

    @dg.asset(
        name=name,
        deps=[dg.AssetKey.from_user_string(dep) for dep in deps],
        group_name=group,
        metadata={**terms_metadata(terms, freshness), **(metadata or {})},
        freshness_policy=freshness_policy(terms) if terms else None,
        automation_condition=freshness_driven() if driven else None,
    )
    def build(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        if broken and name in broken:
            raise RuntimeError(f"{name} is broken")
        read = [
            context.instance.get_latest_materialization_event(dg.AssetKey.from_user_string(dep))
            for dep in deps
        ]
        times = [time for event in read if event and (time := data_time_of(event.asset_materialization))]
        return dg.MaterializeResult(
            metadata={"stir/seconds": seconds, **data_time_metadata(min(times, default=None))}
        )

    return build


def source(name: str, freshness: Mapping[str, str]) -> dg.AssetSpec:
    """A source with terms: its age is its readers' age."""
    return dg.AssetSpec(name, metadata=terms_metadata(parse_terms(freshness, where=name), freshness))


@dataclass
class Run:
    """One requested run."""

    at: datetime
    keys: frozenset[str]
    tags: Mapping[str, str]
    checks: frozenset[dg.AssetCheckKey] = frozenset()
    """Checks that go along."""


@dataclass
class World:
    """The instance, the clock and what was requested."""

    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec]
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    now: datetime = START
    runs: list[Run] = field(default_factory=list)
    cursor: str | None = None
    evaluations: list[Any] = field(default_factory=list)
    paused: bool = False
    """Requests are noted but not executed."""
    checks: Sequence[dg.AssetChecksDefinition] = ()

    def __post_init__(self) -> None:
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        self.definitions = dg.Definitions(
            assets=self.assets,
            asset_checks=self.checks,
            sensors=[freshness_sensor()],
            executor=dg.in_process_executor,
        )
        self.repository = self.definitions.get_repository_def()
        self.job = self.repository.get_implicit_global_asset_job_def()
        self.sensor = self.repository.get_sensor_def("freshness")

    def event(self, source: str, version: str | None = None) -> None:
        """News in a source, as the source sensor reports it."""
        with freeze_time(self.now):
            tags = {"dagster/data_version": version or self.now.isoformat()}
            metadata = {**data_time_metadata(self.now.timestamp())}
            metadata[DATA_TIME] = dg.MetadataValue.timestamp(self.now.timestamp())
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(source, metadata=metadata, tags=tags)
            )

    def tick(self) -> list[Run]:
        """One evaluation by the sensor; executes what it requests."""
        with freeze_time(self.now):
            context = dg.build_sensor_context(
                instance=self.instance, repository_def=self.repository, cursor=self.cursor
            )
            result = self.sensor.evaluate_tick(context)
            self.cursor = result.cursor
            self.evaluations = list(result.automation_condition_evaluations)
            for event in result.asset_events:
                self.instance.report_runless_asset_event(event)
        requested = [
            Run(
                self.now,
                frozenset(key.to_user_string() for key in request.asset_selection or ()),
                request.tags,
                frozenset(request.asset_check_keys or ()),
            )
            for request in result.run_requests or ()
        ]
        self.runs += requested
        if not self.paused:
            for run in requested:
                self.execute(run.keys, run.checks)
        return requested

    def execute(self, keys: Iterable[str], checks: Iterable[dg.AssetCheckKey] | None = None) -> bool:
        """A run of these assets, to its end. Also what a person does who materializes by hand, with all checks."""
        assets = [dg.AssetKey(key) for key in keys]
        with freeze_time(self.now):
            if self.checks and checks is not None:
                job = self.job.get_subset(asset_selection=set(assets), asset_check_selection=set(checks))
                return job.execute_in_process(instance=self.instance, raise_on_error=False).success
            return self.job.execute_in_process(
                instance=self.instance, asset_selection=assets, raise_on_error=False
            ).success

    def unfinished(self, keys: Iterable[str], *, started: bool = True) -> str:
        """A run of these assets that has started and goes on, or waits for a worker; its id."""
        with freeze_time(self.now):
            run = self.instance.create_run_for_job(
                self.job.get_subset(asset_selection={dg.AssetKey(key) for key in keys}),
                asset_selection=frozenset(dg.AssetKey(key) for key in keys),
                status=dg.DagsterRunStatus.STARTING,
            )
            if started:
                event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
                self.instance.report_dagster_event(event, run.run_id)
        return run.run_id

    def end(self, run_id: str, status: dg.DagsterRunStatus) -> None:
        """Ends an unfinished run as a person or the monitor does, without its steps."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        with freeze_time(self.now):
            if status is dg.DagsterRunStatus.CANCELED:
                self.instance.report_run_canceled(run)
            else:
                self.instance.report_run_failed(run)

    def pass_time(self, duration: timedelta, *, sources: Sequence[str] = (), every: timedelta = TICK) -> int:
        """Ticks for `duration`, each with news in `sources`; the number of runs requested."""
        before, until = len(self.runs), self.now + duration
        while self.now < until:
            self.now += every
            for source in sources:
                self.event(source)
            self.tick()
        return len(self.runs) - before

    def runs_of(self, key: str) -> list[Run]:
        """Requested runs that hold `key`."""
        return [run for run in self.runs if key in run.keys]

    def last(self, key: str) -> dg.EventLogRecord:
        """Its last materialization event."""
        return self.instance.fetch_materializations(dg.AssetKey(key), limit=1).records[0]
