"""The 112 models as assets: one op, any subset of it a run, dbt tests as asset checks."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from clickhouse_connect.driver.client import Client
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from stir_assets.dbt.observe import describe_table
from stir_assets.dbt.runner import AssetEvent, DbtRunner
from stir_assets.resources.clickhouse import ClickHouseResource

POOL = "clickhouse"


def build_dbt_assets(project: DbtProject, translator: DagsterDbtTranslator) -> dg.AssetsDefinition:
    """All models of the project as one assets definition that runs any subset in one dbt invocation."""

    @dbt_assets(
        manifest=project.manifest_path,
        project=project,
        dagster_dbt_translator=translator,
        name="stir_dbt",
        pool=POOL,
        io_manager_key="relation_io_manager",
    )
    def stir_dbt(
        context: dg.AssetExecutionContext, dbt: DbtRunner, clickhouse: ClickHouseResource
    ) -> Iterator[AssetEvent]:
        with clickhouse.client() as client:
            for event in dbt.build(context):
                yield _with_table_facts(event, context, client)

    return stir_dbt


def _with_table_facts(event: AssetEvent, context: dg.AssetExecutionContext, client: Client) -> AssetEvent:
    """Adds what ClickHouse knows of the table just built: rows, bytes, columns."""
    if isinstance(event, dg.Output):
        key = context.asset_key_for_output(event.output_name)
        return event.with_metadata({**event.metadata, **describe_table(client, "stir", key.path[-1])})
    return event
