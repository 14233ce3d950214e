"""Serving tables as assets: one factory, one asset a declaration and environment."""

# No `from __future__ import annotations` here: Dagster reads the annotations of the op at run time.

import sys
from collections.abc import Iterator, Sequence

import dagster as dg

from stir_assets.automation.data_times import DataTimeKeeper
from stir_assets.automation.graph import terms_metadata
from stir_assets.core.freshness import terms_as_written
from stir_assets.io_managers.relation import Relation
from stir_assets.keys import model_key, serving_key
from stir_assets.policies import freshness_policy
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.serving.declaration import SCHEMAS, ServingEnvironment, ServingTable

POOL = "postgres"


class FailureRetryPolicy(dg.RetryPolicy):
    """Retries what failed, never what was cancelled.

    With any other policy Dagster takes an interrupt for one more failure: the cancelled publication starts again.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds before attempt `attempt_num`. Raises the interrupt that is being handled, if one is."""
        reason = sys.exc_info()[1]
        if isinstance(reason, (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
            raise reason
        return super().calculate_delay(attempt_num)


RETRY = FailureRetryPolicy(
    max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)


def build_serving_assets(tables: Sequence[ServingTable]) -> list[dg.AssetsDefinition]:
    """One asset for each environment of each table."""
    return [build_serving_asset(table, environment) for table in tables for environment in table.marts]


def build_serving_asset(table: ServingTable, environment: ServingEnvironment) -> dg.AssetsDefinition:
    """The asset that publishes `table` in `environment`; the IO manager does the work."""
    target = table.target(environment)

    @dg.asset(
        key=serving_key(environment, table.name),
        ins={"mart": dg.AssetIn(key=model_key(table.marts[environment]))},
        io_manager_key="serving_io_manager",
        description=f"{table.description}\n\nPromise: {table.freshness}, because {table.why}.",
        group_name="serving" if environment == "prod" else f"serving_{environment}",
        kinds={"postgres"},
        owners=[f"team:{table.owner}"],
        tags={"stir/environment": environment},
        freshness_policy=freshness_policy(table.freshness),
        metadata={
            "dagster/table_name": f"{SCHEMAS[environment]}.{table.name}",
            "stir/why": table.why,
            **terms_metadata(table.freshness, terms_as_written(table.freshness)),
        },
        retry_policy=RETRY,
        pool=POOL,
    )
    def publish(
        context: dg.AssetExecutionContext,
        mart: Relation,
        clickhouse: ClickHouseResource,
        data_times: dg.ResourceParam[DataTimeKeeper],
    ) -> Iterator[dg.Output[Relation]]:
        with clickhouse.client() as client:
            time = data_times.reading(context.instance, client, [context.asset_key]).built(context.asset_key)
        relation = Relation(table.source(environment, clickhouse.database), time, target)
        yield dg.Output(
            relation, metadata={"stir/mart": dg.MetadataValue.asset(model_key(table.marts[environment]))}
        )

    return publish
