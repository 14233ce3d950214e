"""Source tables as external assets: Stir does not make them, it watches and reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject


def build_source_specs(project: DbtProject, translator: DagsterDbtTranslator) -> Sequence[dg.AssetSpec]:
    """One external asset a dbt source, also for sources that no model reads yet."""
    manifest = json.loads(project.manifest_path.read_text())
    return [
        translator.get_asset_spec(manifest, unique_id, project).replace_attributes(
            kinds={"clickhouse", "source"}
        )
        for unique_id in sorted(manifest["sources"])
    ]
