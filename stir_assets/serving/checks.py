"""Checks of a published table, after the swap: does it agree with ClickHouse, is its key unique, is it fresh.

What must hold before the swap is a guard of the publication (`stir_assets/publish/guards.py`); these say that
the live table is still what was published, whenever somebody asks.
"""

# No `from __future__ import annotations` here: Dagster reads the annotations of the check at run time.

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
from clickhouse_connect.driver.client import Client
from psycopg import sql

from stir_assets.automation.data_times import data_time_of
from stir_assets.core.durations import format_duration
from stir_assets.core.freshness import FreshnessTerms, WindowTerms
from stir_assets.keys import serving_key
from stir_assets.publish.target import TableSource
from stir_assets.resources.clickhouse import ClickHouseResource
from stir_assets.resources.postgres import PostgresResource
from stir_assets.serving.declaration import SCHEMAS, ServingEnvironment, ServingTable

AGREES = "agrees_with_clickhouse"
UNIQUE = "key_is_unique"
AS_OF = "as_of_within_promise"


def build_serving_checks(tables: Sequence[ServingTable]) -> list[dg.AssetChecksDefinition]:
    """Three checks for each environment of each table."""
    return [_checks(table, environment) for table in tables for environment in table.marts]


def _checks(table: ServingTable, environment: ServingEnvironment) -> dg.AssetChecksDefinition:
    key = serving_key(environment, table.name)

    @dg.multi_asset_check(
        name=f"checks_of_{environment}_{table.name}",
        specs=[
            dg.AssetCheckSpec(
                name=AGREES, asset=key, description="Rows, and the sum of ids, equal those of the mart."
            ),
            dg.AssetCheckSpec(
                name=UNIQUE, asset=key, description=f"One row per {', '.join(table.natural_key)}."
            ),
            dg.AssetCheckSpec(
                name=AS_OF, asset=key, description=f"The data is fresh as promised: {table.freshness}."
            ),
        ],
        pool="postgres",
        # The scheduler asks for those that failed, or have not passed for a while.
        can_subset=True,
    )
    def check(
        context: dg.AssetCheckExecutionContext, clickhouse: ClickHouseResource, postgres: PostgresResource
    ) -> Iterator[dg.AssetCheckResult]:
        event = context.instance.get_latest_materialization_event(key)
        published = event.asset_materialization if event else None
        asked = {check.name for check in context.selected_asset_check_keys}
        if asked & {AGREES, UNIQUE}:
            with postgres.connect() as connection:
                live = live_rows(connection, table, environment)
            if AGREES in asked:
                with clickhouse.client() as client:
                    expected = expected_rows(client, table, environment, clickhouse.database)
                yield agreement(expected, live, dropped_rows(published), key)
            if UNIQUE in asked:
                yield uniqueness(live, key)
        if AS_OF in asked:
            yield age(data_time_of(published), table.freshness, datetime.now(UTC), key)

    return check


def expected_rows(
    client: Client, table: ServingTable, environment: ServingEnvironment, database: str
) -> Mapping[str, int]:
    """Rows the mart delivers now and the sum of their ids, from ClickHouse."""
    source = table.source(environment, database)
    identity = next(column for column in table.columns if column.name == "id").expression
    if isinstance(source, TableSource):
        where = f" where {source.where}" if source.where else ""
        relation = f"{source.database}.{source.table}{where}"
    else:
        relation = f"({source})"
    query = f"select count(), sum(toInt128({identity})) from {relation} settings final = 1"  # noqa: S608 - declared
    rows, ids = client.query(query).result_rows[0]
    return {"rows": int(rows), "ids": int(ids)}


def live_rows(
    connection: psycopg.Connection[Any], table: ServingTable, environment: ServingEnvironment
) -> Mapping[str, int]:
    """Rows of the live table, the sum of their ids, and how many distinct natural keys they have."""
    # Distinct rows are hashed or read from the key's index; count(distinct (...)) would sort them as composite values.
    query = sql.SQL(
        "select rows, ids, keys from (select count(*) as rows, coalesce(sum(id), 0) as ids from {table}) as whole, "
        "(select count(*) as keys from (select distinct {key} from {table}) as found) as distinct_keys"
    ).format(
        key=sql.SQL(", ").join(sql.Identifier(name) for name in table.natural_key),
        table=sql.Identifier(SCHEMAS[environment], table.name),
    )
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return {"rows": int(row[0]), "ids": int(row[1]), "keys": int(row[2])}


def dropped_rows(published: dg.AssetMaterialization | None) -> int:
    """Rows that enrichments of the last publication dropped on purpose."""
    metadata = published.metadata if published else {}
    return sum(int(str(value.value)) for name, value in metadata.items() if name.startswith("stir/dropped"))


def agreement(
    expected: Mapping[str, int], live: Mapping[str, int], dropped: int, key: dg.AssetKey
) -> dg.AssetCheckResult:
    """Same number of rows and, where none was dropped, the same ids. A mart rebuilt since then differs, too:
    publish again."""
    same = live["rows"] == expected["rows"] - dropped and (dropped > 0 or live["ids"] == expected["ids"])
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=AGREES,
        passed=same,
        severity=dg.AssetCheckSeverity.WARN,
        description=None
        if same
        else "the mart and the table differ: the mart was rebuilt since, or rows were lost",
        metadata={
            "rows in the mart": expected["rows"],
            "dropped": dropped,
            "rows in the table": live["rows"],
        },
    )


def uniqueness(live: Mapping[str, int], key: dg.AssetKey) -> dg.AssetCheckResult:
    """As many natural keys as rows."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=UNIQUE,
        passed=live["keys"] == live["rows"],
        metadata={"rows": live["rows"], "distinct keys": live["keys"]},
    )


def age(
    data_time: float | None, terms: FreshnessTerms, now: datetime, key: dg.AssetKey
) -> dg.AssetCheckResult:
    """The newest event in the table is not older than promised. Unknown while nothing was published."""
    longest = terms.fail if isinstance(terms, WindowTerms) else terms.lookback
    lag = None if data_time is None else timedelta(seconds=now.timestamp() - data_time)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=AS_OF,
        passed=lag is not None and lag <= longest,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "lag": "unknown" if lag is None else format_duration(lag),
            "promised": str(terms),
            **({} if lag is None else {"lag in seconds": lag.total_seconds()}),
        },
    )
