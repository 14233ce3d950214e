"""What Dagster shows of a model after a run: rows, columns with descriptions, column lineage, tests as checks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dbt.adapters.clickhouse.cache import ClickHouseRelationsCache
from dbt.adapters.clickhouse.impl import ClickHouseAdapter

from stir_assets.cli.materialize import materialize_selection
from stir_assets.keys import model_key, source_key
from stir_assets_tests.fixtures.warehouse import Platform

MODEL = model_key("mart_instagram_phone")


@pytest.fixture(scope="module")
def instance(platform: Platform, platform_definitions: dg.Definitions) -> Iterator[dg.DagsterInstance]:
    """The platform's Dagster instance after a run of the model."""
    before = dict(os.environ)
    os.environ.update(platform.environment)
    try:
        report = materialize_selection(
            platform_definitions, 'key:"stir/mart_instagram_phone"', on_step=lambda _: None
        )
        assert report.problems == []
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def metadata(instance: dg.DagsterInstance) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(MODEL)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_rows_and_columns_with_their_descriptions(metadata: dict[str, Any]) -> None:
    assert metadata["dagster/row_count"] > 0
    columns = {column.name: column for column in metadata["dagster/column_schema"].columns}
    assert set(columns) == {"profile_id", "handle", "phone", "phone_masked", "origin", "last_seen_at"}
    assert columns["phone"].type == "String"
    assert "Keyed SHA-256" in columns["phone"].description


def test_column_lineage_names_the_columns_of_the_upstreams(metadata: dict[str, Any]) -> None:
    made_of = metadata["dagster/column_lineage"].deps_by_column
    assert {(part.asset_key, part.column_name) for part in made_of["phone_masked"]} == {
        (model_key("stg_beat_instagram_account"), "biography"),
        (source_key("_e", "profile_log_events"), "dimensions"),
    }


def test_dbt_tests_are_checks_with_a_result(instance: dg.DagsterInstance) -> None:
    names = {
        "unique_combination_mart_instagram_phone_profile_id__phone",
        "not_null_mart_instagram_phone_phone",
    }
    keys = [dg.AssetCheckKey(MODEL, name) for name in names]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert {key.name: record.status.name for key, record in records.items()} == dict.fromkeys(
        names, "SUCCEEDED"
    )


def test_a_selection_too_long_for_a_command_line_is_run_all_the_same(
    platform_definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as hundreds of checks picked in the UI; dagster-dbt then expects dbt to read a file it has written."""
    monkeypatch.setattr("dagster_dbt.asset_utils._SELECTION_ARGS_THRESHOLD", 1)
    defs = platform_definitions
    graph = defs.resolve_asset_graph()
    # All but one check, and no asset: that has to be spelled out.
    checks = sorted(key for key in graph.asset_check_keys if key.asset_key == MODEL and "_phone" in key.name)[
        1:
    ]
    job = defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection=set(checks)
    )
    result = job.execute_in_process(instance=instance)
    assert sorted(check.asset_check_key for check in result.get_asset_check_evaluations()) == checks
    assert len(checks) > 1


def test_two_threads_that_begin_together_both_know_all_tables(
    platform_definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbt takes a schema for listed from the first relation it has noted: the second thread must not look just then."""
    models = ["stg_coffee_campaign", "stg_coffee_campaign_profiles"]
    add, list_relations = ClickHouseRelationsCache.add, ClickHouseAdapter.list_relations
    first = threading.Lock()

    def add_slowly(cache: ClickHouseRelationsCache, relation: object) -> None:
        time.sleep(0.005)
        add(cache, relation)

    def list_while_another_notes(adapter: ClickHouseAdapter, database: str | None, schema: str) -> Any:
        if not first.acquire(blocking=False):
            while (database, schema) not in adapter.cache:
                time.sleep(0.001)
        return list_relations(adapter, database, schema)

    monkeypatch.setattr(ClickHouseRelationsCache, "add", add_slowly)
    monkeypatch.setattr(ClickHouseAdapter, "list_relations", list_while_another_notes)
    report = materialize_selection(
        platform_definitions, " or ".join(f'key:"stir/{name}"' for name in models), on_step=lambda _: None
    )
    assert report.problems == []
