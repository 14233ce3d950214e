"""The models as a contract: names, counts, layers, and which may read what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stir_assets.core.freshness import parse_terms
from stir_assets.serving.catalog import serving_tables

DOMAINS = {
    "staging/beat": 14,
    "staging/coffee": 15,
    "marts/discovery": 16,
    "marts/leaderboard": 14,
    "marts/collection": 12,
    "marts/staging_collection": 9,
    "marts/profile_stats": 8,
    "marts/genre": 7,
    "marts/profile_stats_partial": 6,
    "marts/audience": 4,
    "marts/posts": 3,
    "marts/data_request": 3,
    "marts/orders": 1,
}
NAMES = Path(__file__).with_name("model_names.txt")
LINEAGE = Path(__file__).with_name("model_lineage.txt")
GRAIN = re.compile(r"One row per (?:(?!\. ).)+$", re.DOTALL)


def test_there_are_112_models_in_their_domains(models: Mapping[str, Mapping[str, Any]]) -> None:
    assert Counter("/".join(node["fqn"][1:3]) for node in models.values()) == DOMAINS
    assert sum(DOMAINS.values()) == 112


def test_the_names_are_the_contract(models: Mapping[str, Mapping[str, Any]]) -> None:
    assert sorted(models) == NAMES.read_text().split()


def test_the_lineage_is_the_contract(
    models: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any]
) -> None:
    """One line a model: its upstreams. A new edge is a decision, and the file shows it in review."""

    def short(upstream: str) -> str:
        return (
            ".".join(upstream.split(".")[2:]) if upstream.startswith("source.") else upstream.split(".")[-1]
        )

    lineage = {
        f"{name}: {' '.join(sorted(map(short, node['depends_on']['nodes'])))}"
        for name, node in models.items()
    }
    assert lineage == set(LINEAGE.read_text().splitlines())


def test_staging_reads_sources_only(models: Mapping[str, Mapping[str, Any]]) -> None:
    wrong = {
        name: node["depends_on"]["nodes"]
        for name, node in models.items()
        if node["fqn"][1] == "staging"
        and any(not upstream.startswith("source.") for upstream in node["depends_on"]["nodes"])
    }
    assert not wrong


def test_nothing_reads_a_raw_table(models: Mapping[str, Mapping[str, Any]]) -> None:
    """Every upstream goes by ref or source, or the lineage lies and the graph may hide a loop."""
    raw = re.compile(r"\b(?:from|join)\s+([a-z_0-9]+\.[a-z_0-9]+)", re.IGNORECASE)
    comment = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
    wrong = {
        name: found
        for name, node in models.items()
        if (found := raw.findall(comment.sub("", node["raw_code"])))
    }
    assert not wrong


def test_every_model_says_its_grain_and_has_an_owner_and_a_test(
    models: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any]
) -> None:
    tested = {
        upstream
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        for upstream in node["depends_on"]["nodes"]
    }
    silent = [name for name, node in models.items() if not GRAIN.search(node["description"])]
    ownerless = [name for name, node in models.items() if not node["config"]["meta"].get("owner")]
    untested = [name for name, node in models.items() if node["unique_id"] not in tested]
    assert (silent, ownerless, untested) == ([], [], [])


def test_every_promise_parses_and_disabled_models_promise_nothing(
    models: Mapping[str, Mapping[str, Any]],
) -> None:
    promising = {
        name
        for name, node in models.items()
        if parse_terms(node["config"]["meta"].get("freshness"), where=node["patch_path"]) is not None
    }
    disabled = {name for name, node in models.items() if "disabled" in node["tags"]}
    assert not promising & disabled
    assert set(models) - promising == disabled


def test_served_marts_have_a_contract_with_every_column_described(
    models: Mapping[str, Mapping[str, Any]],
) -> None:
    served = {mart for table in serving_tables() for mart in table.marts.values()}
    for name in sorted(served):
        node = models[name]
        assert node["config"]["contract"]["enforced"], f"{name} is published without an enforced contract"
        blank = [column for column, facts in node["columns"].items() if not facts["description"]]
        assert not blank, f"{name}: columns without a description: {blank}"


def test_serving_tables_are_the_ten_of_the_application() -> None:
    assert {table.name: set(table.marts) for table in serving_tables()} == {
        "collection_hashtag": {"prod"},
        "collection_keyword": {"prod"},
        "collection_post_metrics_summary": {"prod", "staging"},
        "collection_post_metrics_ts": {"prod", "staging"},
        "genre_overview": {"prod", "staging"},
        "group_metrics": {"prod"},
        "leaderboard": {"prod", "staging"},
        "social_profile_hashtags": {"prod"},
        "social_profile_time_series": {"prod", "staging"},
        "trending_content": {"prod", "staging"},
    }
