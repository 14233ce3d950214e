"""Runs of single models while others are not built yet, as every run of a cold start is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.build import build_definitions
from stir_assets.cli.materialize import RunReport, materialize_selection
from stir_assets.resources.defaults import dbt_runner
from stir_assets_tests.fixtures.warehouse import Platform

# A test compares these two; neither reads the other.
PARENT, CHILD = "stg_coffee_post_collection", "stg_coffee_post_collection_item"
TEST = "relationships_stg_coffee_post_collection_item_post_collection_id__id__ref_stg_coffee_post_collection_"


@contextmanager
def not_built(client: Client, model: str) -> Iterator[None]:
    client.command(f"rename table stir.{model} to stir.aside_{model}")
    try:
        yield
    finally:
        client.command(f"drop table if exists stir.{model}")
        client.command(f"rename table stir.aside_{model} to stir.{model}")


def build(defs: dg.Definitions, *models: str) -> RunReport:
    selection = " or ".join(f'key:"stir/{model}"' for model in models)
    return materialize_selection(defs, selection, on_step=lambda _: None)


def times_run(check: str, model: str) -> int:
    key = dg.AssetCheckKey(dg.AssetKey(["stir", model]), check)
    with dg.DagsterInstance.get() as instance:
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
    # A check that was planned and not run is a record too.
    return sum(record.status.value in ("SUCCEEDED", "FAILED") for record in history)


@pytest.fixture(scope="module", params=["inprocess", "cli"])
def defs(
    request: pytest.FixtureRequest,
    platform: Platform,
    platform_definitions: dg.Definitions,
    environment: None,
) -> dg.Definitions:
    if request.param == platform.settings.dbt_mode:
        return platform_definitions
    runner = dbt_runner(platform.settings).model_copy(update={"mode": request.param})
    return build_definitions(platform.settings, resources={"dbt": runner})


def test_a_model_builds_before_those_that_its_tests_compare_it_with(
    defs: dg.Definitions, warehouse: Client
) -> None:
    before = times_run(TEST, CHILD)
    with not_built(warehouse, PARENT):
        report = build(defs, CHILD)
    assert report.problems == []
    assert report.success
    assert times_run(TEST, CHILD) == before
    build(defs, CHILD, PARENT)
    assert times_run(TEST, CHILD) == before + 1, "the comparison runs when both are built together"


def test_a_model_builds_before_those_whose_tests_compare_with_it(
    defs: dg.Definitions, warehouse: Client
) -> None:
    with not_built(warehouse, CHILD):
        report = build(defs, PARENT)
    assert report.problems == []
    assert report.success
