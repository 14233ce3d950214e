"""The manifest of the dbt project, parsed once a session; no engine is needed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from stir_assets.dbt.project import stir_dbt_project
from stir_assets.settings import DBT_PROJECT_DIR


@pytest.fixture(scope="session")
def manifest() -> Mapping[str, Any]:
    return json.loads(stir_dbt_project(DBT_PROJECT_DIR, "local").manifest_path.read_text())


@pytest.fixture(scope="session")
def models(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
