"""Who may import whom, and that the location loads as the server loads it."""

from __future__ import annotations

import ast
import os
import subprocess
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


def test_the_location_loads_by_module_path_and_every_asset_has_a_description() -> None:
    """In a process of its own, as the code server does, without any engine running."""
    program = """
import warnings; warnings.filterwarnings("ignore")
from stir_assets.definitions import defs
graph = defs.resolve_asset_graph()
bare = [node.key.to_user_string() for node in graph.asset_nodes if not node.description]
assert not bare, bare
print(len(graph.materializable_asset_keys))
"""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("STIR_", "DAGSTER_"))
    }
    environment |= {
        "STIR_CLICKHOUSE_HOST": "nowhere.invalid",
        "STIR_CLICKHOUSE_PASSWORD": "x",
        "STIR_POSTGRES_DSN": "postgresql://nowhere.invalid/stir",
        "STIR_S3_BUCKET": "bucket",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=REPO_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) >= 128
