"""The source declarations: complete, typed, personal data tagged; wrong ones are refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stir_assets.core.durations import parse_duration
from stir_assets.core.source_tables import load_source_tables
from stir_assets.errors import ConfigError
from stir_assets.world.flows import FLOWS, REQUESTED_FLOWS
from stir_assets.world.schema import source_table, source_tables

PERSONAL = {"phone": "phone", "email": "email", "biography": "biography", "full_name": "name"}


def test_all_57_source_tables_are_declared_with_owner_and_descriptions() -> None:
    tables = source_tables()
    assert len(tables) == 57
    for table in tables:
        assert table.owner, table.key
        assert len(table.description) > 10, table.key
        assert all(column.description for column in table.columns), table.key


@pytest.mark.parametrize("word", PERSONAL)
def test_columns_that_hold_personal_data_are_tagged(word: str) -> None:
    columns = [(t.key, c) for t in source_tables() for c in t.columns if re.search(word, c.name)]
    assert columns
    untagged = [f"{key}.{column.name}" for key, column in columns if column.pii is None]
    assert not untagged


def test_live_streams_promise_freshness_and_frozen_lists_do_not() -> None:
    promised = {table.key for table in source_tables() if table.freshness}
    assert {"_e.post_log_events", "_e.profile_log_events", "beat_replica.instagram_account"} <= promised
    assert not {key for key in promised if key.startswith(("ds.", "manual.", "s3.", "coffee_stage."))}
    assert "vidooly.channels_monthly_stats_20230219" not in promised
    for table in source_tables():
        if table.freshness:
            warn, fail = (parse_duration(table.freshness[level]) for level in ("warn", "fail"))
            assert warn < fail, table.key
            assert table.loaded_at_field, table.key


def test_the_ddl_states_engine_partition_order_and_settings() -> None:
    ddl = source_table("_e.post_log_events").create_table_sql
    assert ddl.startswith("CREATE TABLE IF NOT EXISTS `_e`.`post_log_events`")
    assert "`event_timestamp` DateTime" in ddl
    assert "PARTITION BY toYYYYMM(event_timestamp)" in ddl
    assert "ORDER BY (`platform`, `shortcode`, `event_timestamp`)" in ddl
    assert ddl.endswith("SETTINGS allow_nullable_key = 1")


GOOD = """
sources:
  - name: web
    tables:
      - name: hits
        config: {{loaded_at_field: {loaded}, meta: {{clickhouse: {{{clickhouse}}}}}}}
        columns:
          - {{name: id, {type}}}
"""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"clickhouse": "order_by: [id]"}, r"web\.hits has no config\.meta\.clickhouse\.engine: add it"),
        ({"clickhouse": "engine: MergeTree, order_by: [when]"}, r"web\.hits refers to column 'when'"),
        ({"loaded": "at"}, r"web\.hits refers to column 'at', which it does not declare"),
        ({"type": "description: no type"}, r"web\.hits\.id has no data_type: add its ClickHouse type"),
    ],
)
def test_an_incomplete_declaration_is_refused_with_file_and_table(
    tmp_path: Path, values: dict[str, str], message: str
) -> None:
    defaults = {"loaded": "id", "clickhouse": "engine: MergeTree, order_by: [id]", "type": "data_type: Int64"}
    (tmp_path / "_web__sources.yml").write_text(GOOD.format(**(defaults | values)))
    with pytest.raises(ConfigError, match=message) as caught:
        load_source_tables(tmp_path)
    assert "_web__sources.yml" in str(caught.value)


def test_a_folder_without_declarations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the source declarations are missing"):
        load_source_tables(tmp_path)


def test_the_scraper_has_28_flows_that_are_requested() -> None:
    assert len(REQUESTED_FLOWS) == 28
    assert len({flow for flow, *_ in FLOWS}) == len(FLOWS) == 29
