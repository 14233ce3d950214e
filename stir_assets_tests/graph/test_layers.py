"""Who may import whom, and that the location loads as the server loads it."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path

import pytest

from stir_assets.settings import REPO_ROOT

PACKAGE = REPO_ROOT / "stir_assets"
PLAIN = ("core", "publish", "importers", "world", "local/clickhouse")


def imports_of(path: Path) -> set[str]:
    """Top-level modules and `stir_assets` subpackages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", PLAIN)
def test_the_plain_python_core_never_imports_dagster(folder: str) -> None:
    wrong = {
        str(path.relative_to(PACKAGE)): sorted(
            name for name in imports_of(path) if name.split(".")[0].startswith("dagster")
        )
        for path in (PACKAGE / folder).rglob("*.py")
    }
    assert not {path: names for path, names in wrong.items() if names}


def test_the_publication_engine_stands_alone() -> None:
    """It takes arguments, never settings, and needs nothing of Stir but the error families."""
    allowed = ("stir_assets.publish", "stir_assets.errors")
    wrong = {
        str(path.relative_to(PACKAGE)): sorted(
            name
            for name in imports_of(path)
            if name.startswith("stir_assets") and not name.startswith(allowed)
        )
        for path in (PACKAGE / "publish").rglob("*.py")
    }
    assert not {path: names for path, names in wrong.items() if names}


def test_only_settings_and_the_local_stack_read_the_environment() -> None:
    allowed = {
        "settings.py",
        "local",
        "cli",
        "bench",
        "dbt/runner.py",
        "dbt/project.py",
        "resources",
        "launch",
    }
    readers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    wrong = {path for path in readers if path not in allowed and path.split("/")[0] not in allowed}
    assert not wrong


def test_the_location_loads_by_module_path_and_every_asset_has_a_description(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the code server loads it, and without any engine running."""
    for name in list(os.environ):
        if name.startswith(("STIR_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STIR_CLICKHOUSE_HOST", "nowhere.invalid")
    monkeypatch.setenv("STIR_CLICKHOUSE_PASSWORD", "x")
    monkeypatch.setenv("STIR_POSTGRES_DSN", "postgresql://nowhere.invalid/stir")
    monkeypatch.setenv("STIR_S3_BUCKET", "bucket")
    monkeypatch.delitem(sys.modules, "stir_assets.definitions", raising=False)
    graph = importlib.import_module("stir_assets.definitions").defs.resolve_asset_graph()
    bare = [node.key.to_user_string() for node in graph.asset_nodes if not node.description]
    assert not bare
    assert len(graph.materializable_asset_keys) >= 128
