"""What a process needs of dbt is read from the last parse, unless that was for something else."""

from __future__ import annotations

import threading

import pytest
from dbt_common.clients.jinja import template_cache

from stir_assets.dbt import project
from stir_assets.settings import DBT_PROJECT_DIR


class Parsed(Exception):
    """Stands for a parse."""


@pytest.fixture
def no_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    project.stir_dbt_project(DBT_PROJECT_DIR, "local")  # whatever has to be parsed is now

    def parse(*_: object) -> None:
        raise Parsed

    monkeypatch.setattr(project, "_parse", parse)


@pytest.mark.usefixtures("no_parse")
def test_another_server_needs_no_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HOST", "elsewhere"), ("PORT", "9999"), ("USER", "somebody"), ("PASSWORD", "x")):
        monkeypatch.setenv(f"STIR_CLICKHOUSE_{name}", value)
    manifest = project.parsed_manifest(DBT_PROJECT_DIR, "local")
    assert "model.stir.mart_leaderboard" in manifest.nodes
    assert manifest.child_map["model.stir.stg_beat_youtube_account"]
    assert manifest.flat_graph["nodes"]


@pytest.mark.usefixtures("no_parse")
def test_a_part_holds_what_is_selected_its_tests_and_all_they_are_built_from() -> None:
    whole = project.parsed_manifest(DBT_PROJECT_DIR, "local")
    series = "model.stir.mart_post_collection_ia_post_ts"
    part = project.part_of(whole, [series])
    assert part.nodes.keys() < whole.nodes.keys()
    # Linking looks up every parent, rendering every one it refers to.
    known = part.nodes.keys() | part.sources.keys()
    assert all(known.issuperset(parents) for parents in part.parent_map.values())
    tests = {name for name in whole.child_map[series] if name.startswith("test.")}
    assert tests <= part.nodes.keys()
    assert any("relationships" in name for name in tests)
    assert part.flat_graph["nodes"].keys() == part.nodes.keys()
    everything = project.part_of(whole, [name for name in whole.nodes if name.startswith("model.")])
    assert everything.nodes.keys() == whole.nodes.keys()


@pytest.mark.usefixtures("no_parse")
def test_macros_are_compiled_ahead_without_a_server_and_without_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STIR_CLICKHOUSE_HOST", "no-such-host.invalid")
    manifest, threads = project.parsed_manifest(DBT_PROJECT_DIR, "local"), threading.active_count()
    template_cache.clear()
    project.warm_up(DBT_PROJECT_DIR, "local", manifest)
    for name in (
        "materialization_table_clickhouse",
        "materialization_test_default",
        "exchange_tables_atomic",
    ):
        (macro,) = (macro for macro in manifest.macros.values() if macro.name == name)
        assert macro.macro_sql in template_cache.file_cache
    assert threading.active_count() == threads


@pytest.mark.usefixtures("no_parse")
@pytest.mark.parametrize("name", ["STIR_CLICKHOUSE_DATABASE", "STIR_CLICKHOUSE_CLUSTER"])
def test_another_database_or_cluster_is_parsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "another")
    with pytest.raises(Parsed):
        project.stir_dbt_project(DBT_PROJECT_DIR, "local")


@pytest.mark.usefixtures("no_parse")
def test_another_target_is_parsed() -> None:
    with pytest.raises(Parsed):
        project.stir_dbt_project(DBT_PROJECT_DIR, "prod")


@pytest.mark.usefixtures("no_parse")
def test_another_dbt_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "version", lambda package: f"another {package}")
    with pytest.raises(Parsed):
        project.stir_dbt_project(DBT_PROJECT_DIR, "local")
