"""Puts the families of assets together; nothing else happens here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from stir_assets.automation.alerts.page import page_spec
from stir_assets.automation.alerts.sensor import alert_sensor
from stir_assets.automation.condition import freshness_driven
from stir_assets.automation.data_times import DataTimeKeeper
from stir_assets.automation.freshness import report_spec
from stir_assets.automation.freshness_checks import build_freshness_checks
from stir_assets.automation.graph import EVENT_TIME, schedule_graph
from stir_assets.automation.housekeeping import build_housekeeping
from stir_assets.automation.report_sensor import report_sensor
from stir_assets.automation.scraping import build_flow_checks, fed_by_flows, flow_sensor, flow_specs
from stir_assets.automation.sensors import freshness_sensor
from stir_assets.automation.source_health import build_source_checks, source_health_sensor
from stir_assets.automation.source_watch import SourceWatch
from stir_assets.core.source_health.terms import watch_terms
from stir_assets.core.source_tables import load_source_tables
from stir_assets.dbt.assets import build_dbt_assets
from stir_assets.dbt.project import stir_dbt_project
from stir_assets.dbt.translator import StirDbtTranslator
from stir_assets.resources.defaults import default_resources
from stir_assets.serving.assets import build_serving_assets
from stir_assets.serving.catalog import serving_tables
from stir_assets.serving.checks import AS_OF, build_serving_checks
from stir_assets.settings import DBT_PROJECT_DIR, SOURCES_DIR, Settings, pii_salt
from stir_assets.sources.specs import build_source_specs


def build_definitions(settings: Settings, *, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The whole graph. Tests pass `resources` to replace defaults by name."""
    project = stir_dbt_project(DBT_PROJECT_DIR, settings.environment)
    translator = StirDbtTranslator()
    sources = fed_by_flows(build_source_specs(project, translator))
    assets = [
        build_dbt_assets(project, translator),
        *build_serving_assets(serving_tables()),
        build_housekeeping(settings.s3),
    ]
    if settings.automation:
        assets = [_driven_by_freshness(asset) for asset in assets]
    specs = [*sources, *(spec for asset in assets for spec in asset.specs)]
    graph = schedule_graph(specs, managed=[key for asset in assets for key in asset.keys])
    event_columns = {
        spec.key.to_user_string(): spec.metadata[EVENT_TIME]
        for spec in sources
        if EVENT_TIME in spec.metadata
    }
    watched = [
        terms for table in load_source_tables(SOURCES_DIR) if (terms := watch_terms(table)) is not None
    ]
    named_checks = {key: AS_OF for key in graph.nodes if key.startswith("serving/")}
    return dg.Definitions(
        assets=[*flow_specs(), *sources, report_spec(), page_spec(), *assets],
        resources={
            **default_resources(settings),
            "data_times": DataTimeKeeper(graph, event_columns),
            **(resources or {}),
        },
        asset_checks=[
            *build_serving_checks(serving_tables()),
            build_flow_checks(),
            build_source_checks(watched),
            build_freshness_checks(graph, named_checks),
        ],
        sensors=[
            freshness_sensor(SourceWatch([spec.key.to_user_string() for spec in sources], event_columns)),
            flow_sensor(),
            source_health_sensor(watched),
            report_sensor(named_checks),
            *_alert_sensors(settings),
        ],
        # One process a run: a step's own process would import dagster and dbt anew, 5 s each.
        executor=dg.in_process_executor,
    )


def _alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    if not settings.alerts:
        return []
    secrets = [*settings.secrets(), *filter(None, [pii_salt()])]
    return [alert_sensor(settings.alert_policy, ui_url=settings.ui_url, secrets=secrets)]


def _driven_by_freshness(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    return asset.map_asset_specs(
        lambda spec: spec.replace_attributes(automation_condition=freshness_driven())
    )
