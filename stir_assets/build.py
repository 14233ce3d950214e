"""Puts the families of assets together; nothing else happens here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from stir_assets.dbt.assets import build_dbt_assets
from stir_assets.dbt.project import stir_dbt_project
from stir_assets.dbt.translator import StirDbtTranslator
from stir_assets.resources.defaults import default_resources
from stir_assets.settings import DBT_PROJECT_DIR, Settings
from stir_assets.sources.specs import build_source_specs


def build_definitions(settings: Settings, *, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The whole graph. Tests pass `resources` to replace defaults by name."""
    project = stir_dbt_project(DBT_PROJECT_DIR, settings.environment)
    translator = StirDbtTranslator()
    return dg.Definitions(
        assets=[*build_source_specs(project, translator), build_dbt_assets(project, translator)],
        resources={**default_resources(settings), **(resources or {})},
        # One process a run: a step's own process would import dagster and dbt anew, 5 s each.
        executor=dg.in_process_executor,
    )
