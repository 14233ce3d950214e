"""Resources as the settings say. The only file that names secrets, and only by their variable."""

from __future__ import annotations

from typing import Any

import dagster as dg

from stir_assets.dbt.project import check_vars
from stir_assets.dbt.runner import DbtRunner
from stir_assets.io_managers.relation import RelationIOManager
from stir_assets.io_managers.serving_table import ServingTableIOManager
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.resources.postgres import PostgresResource
from stir_assets.resources.slack import AlertChannel, LogAlerts, SlackAlerts
from stir_assets.settings import DBT_PROJECT_DIR, Settings


def default_resources(settings: Settings) -> dict[str, Any]:
    """Everything an asset may ask for, reaching the servers of `settings`."""
    clickhouse = ClickHouseResource(
        host=settings.clickhouse.host,
        port=settings.clickhouse.port,
        user=settings.clickhouse.user,
        password=dg.EnvVar("STIR_CLICKHOUSE_PASSWORD"),
        secure=settings.clickhouse.secure,
        database=settings.clickhouse.database,
        cluster=settings.clickhouse.cluster,
    )
    return {
        "clickhouse": clickhouse,
        "postgres": PostgresResource(dsn=dg.EnvVar("STIR_POSTGRES_DSN")),
        "dbt": dbt_runner(settings),
        "alert_channel": alert_channel(settings),
        "relation_io_manager": RelationIOManager(database=settings.clickhouse.database),
        "serving_io_manager": ServingTableIOManager(
            clickhouse=clickhouse,
            postgres_dsn=dg.EnvVar("STIR_POSTGRES_DSN"),
            bucket=settings.s3.bucket,
            prefix=settings.s3.prefix,
            endpoint=settings.s3.endpoint,
            region=settings.s3.region,
        ),
    }


def alert_channel(settings: Settings) -> AlertChannel:
    """Slack when there is a token, else the log."""
    if settings.slack_token is None:
        return LogAlerts()
    token = dg.EnvVar("STIR_SLACK_TOKEN")
    if settings.slack_api_url:
        return SlackAlerts(token=token, api_url=settings.slack_api_url)
    return SlackAlerts(token=token)


def dbt_runner(settings: Settings, *, full_refresh: bool = False, as_of: str | None = None) -> DbtRunner:
    """dbt as the settings say; `as_of` builds as of that day instead of now.

    Raises `ConfigError` for vars that the project does not have.
    """
    check_vars(DBT_PROJECT_DIR, settings.dbt_vars)
    return DbtRunner(
        project_dir=str(DBT_PROJECT_DIR),
        target=settings.environment,
        mode=settings.dbt_mode,
        full_refresh=full_refresh,
        variables=dict(settings.dbt_vars),
        as_of=as_of,
    )
