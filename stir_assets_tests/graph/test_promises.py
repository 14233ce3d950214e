"""The shipped declarations: every promise can be kept, every asset is decided on."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from stir_assets.automation.graph import graph_of
from stir_assets.automation.paced_checks import checks_due
from stir_assets.automation.what_if import tier_members
from stir_assets.build import build_definitions
from stir_assets.core.scheduling.feasibility import impossible_promises
from stir_assets.settings import ClickHouseSettings, S3Settings, Settings


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build_definitions(_settings(automation=True)).get_repository_def()


def _settings(*, automation: bool) -> Settings:
    return Settings(
        environment="local",
        home=Path("unused"),
        clickhouse=ClickHouseSettings("localhost", 1, "default", ""),
        postgres_dsn="postgresql://localhost:1/none",
        s3=S3Settings("none", "none"),
        automation=automation,
    )


def test_every_promise_leaves_room_for_its_sources_and_its_runs(repository: dg.RepositoryDefinition) -> None:
    problems = impossible_promises(graph_of(repository.asset_graph), {})
    assert [f"{problem.key}: {problem.terms}: {problem.reason}" for problem in problems] == []


def test_every_asset_that_promises_is_decided_on(repository: dg.RepositoryDefinition) -> None:
    """A condition outside of the sensor's reach would never be evaluated, silently."""
    sensor = repository.get_sensor_def("freshness")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.asset_selection is not None
    reached = sensor.asset_selection.resolve(repository.asset_graph)
    graph = graph_of(repository.asset_graph)
    promised = {key for key, node in graph.nodes.items() if node.managed and node.terms is not None}
    decided = {
        node.key.to_user_string()
        for node in repository.asset_graph.asset_nodes
        if node.automation_condition is not None and node.key in reached
    }
    assert promised <= decided
    assert len(promised) > 100
    # Above this number Dagster refuses the tick.
    assert len(decided) <= 500


def test_switched_off_means_no_conditions_and_the_same_assets(repository: dg.RepositoryDefinition) -> None:
    off = build_definitions(_settings(automation=False)).get_repository_def()
    assert {node.key for node in off.asset_graph.asset_nodes} == {
        node.key for node in repository.asset_graph.asset_nodes
    }
    assert all(node.automation_condition is None for node in off.asset_graph.asset_nodes)


def test_the_old_tiers_name_assets_that_exist(repository: dg.RepositoryDefinition) -> None:
    empty = [name for name, members in tier_members(repository.asset_graph).items() if not members]
    assert empty == []


def test_every_promise_is_seen_in_the_lineage_as_a_check(repository: dg.RepositoryDefinition) -> None:
    assets = repository.asset_graph
    for key, node in graph_of(assets).nodes.items():
        if node.terms is not None:
            names = {check.name for check in assets.get(dg.AssetKey.from_user_string(key)).check_keys}
            assert names & {"freshness", "as_of_within_promise"}, key


def test_a_run_is_made_whichever_check_is_due(repository: dg.RepositoryDefinition) -> None:
    """The scheduler leaves out checks that have just passed; a run that Dagster refuses would stop every decision."""
    assets = repository.asset_graph
    job = repository.get_implicit_global_asset_job_def()
    checks = [sorted(node.check_keys) for node in assets.asset_nodes]
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(max(map(len, checks))):
            chosen = [check for of_asset in checks for check in of_asset[number : number + 1]]
            due = checks_due(instance, assets, chosen, 0.0)
            job.get_subset(
                asset_selection={check.asset_key for check in due} & assets.executable_asset_keys,
                asset_check_selection=set(due),
            )
