"""The models as assets: one op, any subset of it a run, dbt tests as asset checks."""

# No `from __future__ import annotations` here: Dagster reads the annotations of the op at run time.

import json
from collections.abc import Iterator

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from stir_assets.automation.data_times import DataTimeKeeper, data_time_metadata
from stir_assets.dbt.observe import ModelObserver
from stir_assets.dbt.phone_key import hashing_models, prepare_phone_key
from stir_assets.dbt.runner import AssetEvent, DbtRunner
from stir_assets.resources.clickhouse import ClickHouseResource

POOL = "clickhouse"


def build_dbt_assets(project: DbtProject, translator: DagsterDbtTranslator) -> dg.AssetsDefinition:
    """All models of the project as one assets definition that runs any subset in one dbt invocation."""
    manifest = json.loads(project.manifest_path.read_text(encoding="utf-8"))
    observer, hashing = ModelObserver(manifest, translator), hashing_models(manifest)

    @dbt_assets(
        manifest=project.manifest_path,
        project=project,
        dagster_dbt_translator=translator,
        name="stir_dbt",
        pool=POOL,
        io_manager_key="relation_io_manager",
    )
    def stir_dbt(
        context: dg.AssetExecutionContext,
        dbt: DbtRunner,
        clickhouse: ClickHouseResource,
        data_times: dg.ResourceParam[DataTimeKeeper],
    ) -> Iterator[AssetEvent]:
        with clickhouse.client() as client:
            selected = {key.path[-1] for key in context.selected_asset_keys}
            prepare_phone_key(client, clickhouse.settings(), selected, hashing)
            times = data_times.reading(context.instance, client, context.selected_asset_keys)
            for event in dbt.build(context):
                if isinstance(event, dg.Output):
                    key = context.asset_key_for_output(event.output_name)
                    target = project.project_dir / "target"
                    facts = observer.metadata(client, clickhouse.database, key.path[-1], target)
                    known = data_time_metadata(times.built(key))
                    yield event.with_metadata({**event.metadata, **facts, **known})
                else:
                    yield event

    return stir_dbt
