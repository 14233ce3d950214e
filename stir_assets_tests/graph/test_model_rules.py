"""House rules of the models that a reviewer would otherwise have to check: documentation, tests, personal data, SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stir_assets.core.phone_key import HASHED_COLUMN
from stir_assets.settings import DBT_PROJECT_DIR

Models = Mapping[str, Mapping[str, Any]]

TIERS = {
    *("core", "recent_scl", "post_ranker", "post_ranker_partial", "account_tracker_stats", "hourly"),
    *("collections", "collections_fake_events", "staging_collections", "staging_collections_fake_events"),
    *("daily", "leaderboard", "genre", "weekly", "gcc_orders", "disabled"),
}
# Columns of people. A handle of YouTube marts that is a channel id, or the name of a collection, is none.
PERSONAL = re.compile(r"phone|email|^bio$|biography|full_name|^profile_handle$|^post_handle$|^handle$")
CHANNEL_IDS = {"mart_youtube_profile_relationship", "mart_youtube_tracked_profiles"}
SQL_FILES = sorted(
    path for folder in ("models", "macros") for path in (DBT_PROJECT_DIR / folder).rglob("*.sql")
)
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)
# Names of frozen source tables and of the CTEs called after them hold dates; the unit of rounding is no magic number.
DATED_NAME = re.compile(r"\w+_20\d{6}\b|1\.0{5,}\d")


def yml_of(node: Mapping[str, Any]) -> Path:
    return DBT_PROJECT_DIR / node["patch_path"].split("://")[1]


def pii_of(facts: Mapping[str, Any]) -> Any:
    return (facts.get("config", {}).get("meta") or facts.get("meta") or {}).get("pii")


def test_one_yml_beside_each_model(models: Models) -> None:
    wrong = [
        name
        for name, node in models.items()
        if node["original_file_path"].removesuffix(".sql")
        != node["patch_path"].split("://")[1].removesuffix(".yml")
    ]
    assert not wrong


def test_every_column_that_is_declared_has_type_and_description(models: Models) -> None:
    wrong = [
        f"{name}.{column}"
        for name, node in models.items()
        for column, facts in node["columns"].items()
        if not facts["description"] or not facts["data_type"]
    ]
    assert not wrong


def test_every_grain_is_tested_and_its_columns_are_declared(
    models: Models, manifest: Mapping[str, Any]
) -> None:
    grains: dict[str, list[list[str]]] = {node["unique_id"]: [] for node in models.values()}
    for test in manifest["nodes"].values():
        kind = (test.get("test_metadata") or {}).get("name")
        if kind in ("unique", "unique_combination") and test.get("attached_node") in grains:
            arguments = test["test_metadata"]["kwargs"]
            grains[test["attached_node"]].append(arguments.get("columns") or [arguments["column_name"]])
    undeclared = {
        name: grains[node["unique_id"]]
        for name, node in models.items()
        if not any(set(grain) <= set(node["columns"]) for grain in grains[node["unique_id"]])
    }
    assert not undeclared


def test_every_model_with_logic_has_a_unit_test(models: Models, manifest: Mapping[str, Any]) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    # A stack of series of one shape decides nothing.
    with_logic = {
        name for name, node in models.items() if "stacked_collection_post_ts(" not in node["raw_code"]
    }
    assert not with_logic - tested


def test_every_model_has_a_tier(models: Models) -> None:
    assert not {name: node["tags"] for name, node in models.items() if not TIERS & set(node["tags"])}


def test_every_promise_says_why(models: Models) -> None:
    silent = [
        name
        for name, node in models.items()
        if node["config"]["meta"].get("freshness")
        and not re.search(r"# why: \S.*\n(?: *#.*\n)* *freshness:", yml_of(node).read_text(encoding="utf-8"))
    ]
    assert not silent


def test_personal_columns_are_tagged_and_the_model_lists_them(models: Models) -> None:
    untagged = [
        f"{name}.{column}"
        for name, node in models.items()
        for column, facts in node["columns"].items()
        if PERSONAL.search(column) and "number_more_than" not in column and not pii_of(facts)
        if not (column == "handle" and name in CHANNEL_IDS)
    ]
    different = {
        name: (listed, tagged)
        for name, node in models.items()
        if (listed := sorted(node["config"]["meta"].get("pii") or []))
        != (tagged := sorted(column for column, facts in node["columns"].items() if pii_of(facts)))
    }
    assert (untagged, different) == ([], {})


def test_a_phone_leaves_a_model_only_as_hash_or_mask(models: Models) -> None:
    columns = {
        (name, column)
        for name, node in models.items()
        for column in node["columns"]
        if "phone" in column and name.startswith("mart_")
    }
    assert columns
    hashing = {
        name
        for name, node in models.items()
        if "phone_hash(" in node["raw_code"] and "phone_mask(" in node["raw_code"]
    }
    assert {name for name, _ in columns} == hashing
    assert {column for _, column in columns} == {HASHED_COLUMN, "phone_masked"}


def test_no_hooks_and_no_optimize(models: Models) -> None:
    hooked = [
        name for name, node in models.items() if node["config"]["pre-hook"] or node["config"]["post-hook"]
    ]
    optimizing = [path.name for path in SQL_FILES if re.search(r"\boptimize\b", bare(path), re.IGNORECASE)]
    assert (hooked, optimizing) == ([], [])


def bare(path: Path) -> str:
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"\b(?:now|today|yesterday|now64)\s*\(", "stir_now()"),
        (r"\b(?:19[89]\d|20\d\d)-\d\d", "a var with its reason"),
        (r"(?<![\w.'])\d{5,}(?![\w'])", "a var with its reason"),
        (r"https?://(?!\\)", "a var with its reason"),
        (r"\bfinal\s+(?:where|join|group)\b", "the profile's setting"),
    ],
)
def test_no_clock_date_id_or_address_in_sql(pattern: str, instead: str) -> None:
    def found() -> Iterator[str]:
        for path in SQL_FILES:
            # The one place that may ask the clock.
            if path.name != "stir_now.sql":
                for match in re.finditer(pattern, DATED_NAME.sub("", bare(path)), re.IGNORECASE):
                    yield f"{path.name}: {match.group()}: use {instead}"

    assert sorted(found()) == []
