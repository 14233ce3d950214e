"""Freshness as checks: reported on change by the sensor, left out of the scheduler's runs, right when run by hand."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
from dagster._core.test_utils import freeze_time

from stir_assets.automation.freshness import REPORT_KEY, report_spec
from stir_assets.automation.freshness_checks import FRESHNESS, build_freshness_checks
from stir_assets.automation.graph import graph_of
from stir_assets.automation.report_sensor import report_sensor
from stir_assets.automation.sensors import freshness_sensor
from stir_assets_tests.integration.automation.simulated import World, asset, source

WINDOW = {"warn": "15m", "fail": "30m"}


def platform() -> tuple[World, dg.RepositoryDefinition]:
    world = World([source("stream", WINDOW), asset("mart", ["stream"], WINDOW)])
    checks = build_freshness_checks(graph_of(world.repository.asset_graph), {})
    definitions = dg.Definitions(
        assets=[*world.assets, report_spec()],
        asset_checks=[checks],
        sensors=[freshness_sensor(), report_sensor({}, lambda: world.now.timestamp())],
        executor=dg.in_process_executor,
    )
    return world, definitions.get_repository_def()


def test_checks_are_reported_when_the_state_changes_and_the_report_every_five_minutes() -> None:
    world, repository = platform()
    cursor: str | None = None
    world.event("stream")
    world.tick()
    found = []
    for _ in range(12):
        with freeze_time(world.now):
            context = dg.build_sensor_context(
                instance=world.instance, repository_def=repository, cursor=cursor
            )
            result = repository.get_sensor_def("freshness_report").evaluate_tick(context)
        cursor = result.cursor
        found.append(
            sorted(
                (event.asset_key.to_user_string(), str(event.metadata["state"].value))
                if isinstance(event, dg.AssetCheckEvaluation)
                else (event.asset_key.to_user_string(), "report")
                for event in result.asset_events
            )
        )
        world.now += timedelta(minutes=4)
    report = REPORT_KEY.to_user_string()
    assert found[0] == [("mart", "fresh"), (report, "report"), ("stream", "fresh")]
    assert sum(("mart", "fresh") in events for events in found) == 1
    assert sum(("mart", "at risk") in events for events in found) == 1
    assert sum(("mart", "broken") in events for events in found) == 1
    assert sum((report, "report") in events for events in found) < 12


def test_the_scheduler_leaves_the_check_out_and_a_person_may_run_it() -> None:
    world, repository = platform()
    world.event("stream")
    with freeze_time(world.now):
        context = dg.build_sensor_context(instance=world.instance, repository_def=repository)
        [request] = repository.get_sensor_def("freshness").evaluate_tick(context).run_requests or ()
        assert request.asset_check_keys == []
        done = repository.get_implicit_global_asset_job_def().execute_in_process(
            instance=world.instance, asset_selection=[dg.AssetKey("mart")]
        )
    [evaluation] = done.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.asset_key) == (FRESHNESS, dg.AssetKey("mart"))
