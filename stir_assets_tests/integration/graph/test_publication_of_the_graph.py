"""The serving tables as Dagster publishes them, on the platform's own engines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from clickhouse_connect.driver.client import Client

from stir_assets.automation.data_times import data_time_of
from stir_assets.cli.main import cli
from stir_assets.cli.materialize import RunReport, materialize_selection
from stir_assets.errors import ConfigError
from stir_assets.io_managers.serving_table import ServedRelation
from stir_assets.keys import model_key, serving_key
from stir_assets.serving.catalog import serving_tables
from stir_assets_tests.fixtures.warehouse import Platform

ALL = {f"serving/{environment}/{table.name}" for table in serving_tables() for environment in table.marts}


@pytest.fixture(scope="module")
def defs(platform_definitions: dg.Definitions, environment: None) -> dg.Definitions:
    return platform_definitions


@pytest.fixture(scope="module")
def published(defs: dg.Definitions) -> RunReport:
    return materialize_selection(defs, "group:serving or group:serving_staging", on_step=lambda _: None)


@pytest.fixture
def connection(platform: Platform) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(platform.settings.postgres_dsn) as connection:
        yield connection


def rows(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType]


def test_every_serving_table_is_published_with_rows(published: RunReport) -> None:
    assert published.problems == []
    assert set(published.rows) == ALL
    assert all(published.rows.values())


def test_a_materialization_says_what_was_published_and_no_secret(published: RunReport) -> None:
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(serving_key("prod", "leaderboard"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    wanted = {"dagster/row_count", "dagster/column_schema", "stir/version", "stir/seconds"}
    assert wanted <= set(metadata)
    assert not [value for value in metadata.values() if os.environ["STIR_CLICKHOUSE_PASSWORD"] in str(value)]


def test_the_checks_of_published_tables_pass(published: RunReport) -> None:
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [
                dg.AssetCheckKey(dg.AssetKey(key.split("/")), name)
                for key in ALL
                for name in ("agrees_with_clickhouse", "key_is_unique")
            ]
        )
    assert len(records) == 2 * len(ALL)
    failed = [key.to_user_string() for key, record in records.items() if record.status.value != "SUCCEEDED"]
    assert not failed


def test_ids_stay_the_same_from_one_publication_to_the_next(
    defs: dg.Definitions, published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    query = "select id, month, platform, platform_id from public.leaderboard order by id"
    before = rows(connection, query)
    connection.rollback()
    again = materialize_selection(defs, 'key:"serving/prod/leaderboard"', on_step=lambda _: None)
    assert again.success
    with dg.DagsterInstance.get() as instance:
        both = instance.fetch_materializations(serving_key("prod", "leaderboard"), limit=2).records
    second, first = (record.asset_materialization for record in both)
    assert first is not None
    assert second is not None
    assert second.metadata["stir/growth"].value == 1.0
    assert second.metadata["stir/previous_rows"].value == first.metadata["dagster/row_count"].value
    assert second.metadata["stir/previous_run"].value == both[1].run_id
    assert rows(connection, query) == before
    version = rows(
        connection,
        "select publication, previous from stir.publication where \"table\" = 'public.leaderboard'",
    )
    assert version[0][0] >= 2
    assert version[0][1] is not None


def test_account_columns_come_from_the_applications_tables(
    published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    counts = rows(
        connection,
        "select count(*), count(*) filter (where l.platform_profile_id = a.id and l.handle = a.handle) "
        "from public.leaderboard l join public.instagram_account a on a.ig_id = l.platform_id "
        "where l.profile_platform = 'IA'",
    )
    assert counts[0][0] > 0
    assert counts[0][0] == counts[0][1]


def test_report_rows_that_the_application_does_not_show_are_left_out(
    published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    hidden = rows(
        connection,
        # An item can be listed twice; one that is shown is enough.
        "select count(*) from public.collection_post_metrics_summary s where s.collection_type = 'POST' "
        "and not exists (select from public.post_collection_item i where i.show_in_report "
        "and i.post_collection_id = s.collection_id and i.short_code = s.post_short_code)",
    )
    orphans = rows(
        connection,
        "select count(*) from public.collection_post_metrics_summary where collection_share_id is null",
    )
    assert (hidden[0][0], orphans[0][0]) == (0, 0)


def test_rows_that_no_report_shows_are_dropped_and_counted(
    defs: dg.Definitions, published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    collection, tags = rows(
        connection,
        "select collection_id, count(*) from public.collection_hashtag where collection_type = 'POST' "
        "group by 1 order by 1 limit 1",
    )[0]
    rename = "update public.post_collection set id = %s where id = %s"
    connection.execute(rename, ("gone", collection))
    connection.commit()
    try:
        report = materialize_selection(defs, 'key:"serving/prod/collection_hashtag"', on_step=lambda _: None)
    finally:
        connection.execute(rename, (collection, "gone"))
        connection.commit()
    assert report.problems == []
    key = "serving/prod/collection_hashtag"
    assert report.rows[key] == published.rows[key] - tags
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(serving_key("prod", "collection_hashtag"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert metadata["stir/dropped: rows of collections without a public id"].value == tags


def test_numeric_arrays_are_arrays_of_numbers(
    published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    types = rows(
        connection,
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid in "
        "('public.social_profile_hashtags'::regclass, 'public.group_metrics'::regclass) "
        "and attname in ('hashtags_counts', 'bin_start', 'bin_end', 'bin_height') order by 1",
    )
    assert [name for (name,) in types] == ["bigint[]", *["double precision[]"] * 3]


def test_a_missing_product_table_refuses_the_publication_by_name(
    defs: dg.Definitions, published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    before = rows(connection, "select count(*), sum(id) from public.social_profile_hashtags")
    connection.execute("alter table public.instagram_account rename to instagram_account_gone")
    connection.commit()
    try:
        report = materialize_selection(
            defs, 'key:"serving/prod/social_profile_hashtags"', on_step=lambda _: None
        )
    finally:
        connection.execute("alter table public.instagram_account_gone rename to instagram_account")
        connection.commit()
    assert not report.success
    assert "public.instagram_account" in "\n".join(report.problems)
    assert rows(connection, "select count(*), sum(id) from public.social_profile_hashtags") == before


def test_a_selection_that_matches_nothing_says_so(defs: dg.Definitions) -> None:
    with pytest.raises(ConfigError, match="matches no asset"):
        materialize_selection(defs, 'key:"stir/no_such_model"', on_step=lambda _: None)
    with pytest.raises(ConfigError, match="is not an asset selection"):
        materialize_selection(defs, "key:(", on_step=lambda _: None)


def test_run_from_the_command_line_builds_models_and_their_readers(
    environment: None, published: RunReport
) -> None:
    result = CliRunner().invoke(cli, ["run", 'key:"stir/mart_instagram_hashtags"+'], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "stir/mart_instagram_hashtags" in result.output
    assert "serving/prod/social_profile_hashtags" in result.output
    with dg.DagsterInstance.get() as instance:
        logged = [entry.user_message for entry in instance.all_logs(instance.get_runs(limit=1)[0].run_id)]
    assert "public.social_profile_hashtags: swap: swapping" in logged


def test_a_model_records_the_newest_event_it_contains(defs: dg.Definitions, warehouse: Client) -> None:
    report = materialize_selection(defs, 'key:"stir/stg_beat_instagram_account"', on_step=lambda _: None)
    assert report.success
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(model_key("stg_beat_instagram_account"))
    assert event is not None
    newest = warehouse.query(
        "select toUnixTimestamp(max(updated_at)) from beat_replica.instagram_account where updated_at <= now() + 300"
    ).result_rows[0][0]
    assert data_time_of(event.asset_materialization) == newest


def test_hot_tables_are_published_in_the_mode_they_declare(
    defs: dg.Definitions, published: RunReport, connection: psycopg.Connection[Any]
) -> None:
    # The staging environment's is the smaller one.
    again = materialize_selection(
        defs, 'key:"serving/staging/collection_post_metrics_ts"', on_step=lambda _: None
    )
    assert again.problems == []
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(
            serving_key("staging", "collection_post_metrics_ts")
        )
    assert event is not None
    assert event.asset_materialization is not None
    metadata = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert metadata["stir/mode"] == "diff"
    assert metadata["stir/way"] == "merge"
    assert [metadata[f"stir/rows_{action}"] for action in ("inserted", "updated", "deleted")] == [0, 0, 0]
    assert metadata["stir/growth"] == 1.0
    kinds = rows(
        connection,
        "select relname, relkind::text from pg_class where relnamespace = 'public'::regnamespace "
        "and relname in ('collection_post_metrics_summary', 'collection_post_metrics_ts') order by 1",
    )
    assert kinds == [("collection_post_metrics_summary", "v"), ("collection_post_metrics_ts", "r")]


def test_a_downstream_asset_gets_the_relation_or_its_rows(
    defs: dg.Definitions, published: RunReport, platform: Platform
) -> None:
    key = serving_key("prod", "group_metrics")

    @dg.asset(ins={"table": dg.AssetIn(key=key)})
    def by_name(table: ServedRelation) -> None:
        assert table == ServedRelation("public", "group_metrics")

    @dg.asset(ins={"table": dg.AssetIn(key=key)})
    def by_rows(table: list[dict[str, Any]]) -> None:
        assert len(table) == published.rows["serving/prod/group_metrics"]
        assert "group_key" in table[0]

    stored = dg.AssetSpec(key).with_io_manager_key("serving_io_manager")
    resources = {"serving_io_manager": (defs.resources or {})["serving_io_manager"]}
    assert dg.materialize(
        [by_name, by_rows, stored], resources=resources, selection=[by_name, by_rows]
    ).success
