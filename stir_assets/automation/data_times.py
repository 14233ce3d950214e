"""Data times as one run reads them: sources are asked now, earlier builds are looked up, the rest follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from stir_assets.automation.graph import DATA_TIME, LAG
from stir_assets.core.scheduling.data_time import contained
from stir_assets.core.scheduling.model import Graph

# Clocks of scrapers run ahead; an event further in the future says nothing of how fresh the table is.
FUTURE_ALLOWED_SECONDS = 300
# ClickHouse's error code, as the driver has it in its message.
UNKNOWN_TABLE = "code: 60,"


def newest_event(client: Client, key: str, column: str) -> float | None:
    """Time of the newest event in a source table, seconds since the epoch; None while it is empty or not there.

    `key` is `schema/table`. Events from more than five minutes ahead are left out.
    """
    schema, table = key.split("/")[-2:]
    try:
        newest = client.query(
            "select toUnixTimestamp(max({column:Identifier})) from {schema:Identifier}.{table:Identifier} "
            "where {column:Identifier} <= now() + {ahead:UInt32}",
            parameters={"schema": schema, "table": table, "column": column, "ahead": FUTURE_ALLOWED_SECONDS},
        ).result_rows[0][0]
    except DatabaseError as error:
        # Of a run's many models only those fail that read it: in dbt, by name, not all of them here.
        if UNKNOWN_TABLE not in str(error):
            raise
        return None
    return float(newest) if newest else None


@dataclass(frozen=True)
class DataTimeKeeper:
    """Knows the graph and each source's event-time column; makes one `DataTimes` a run."""

    graph: Graph
    event_columns: Mapping[str, str]

    def reading(
        self, instance: dg.DagsterInstance, client: Client, building: Iterable[dg.AssetKey]
    ) -> DataTimes:
        """Takes the data times of all that these assets read and do not build themselves.

        Call it before the first table is read: a time taken later could promise events that are not in it.
        """
        keys = {key.to_user_string() for key in building}
        inputs = {dep for key in keys for dep in self.graph.nodes[key].deps} & set(self.graph.nodes) - keys
        built = [dg.AssetKey.from_user_string(dep) for dep in inputs if self.graph.nodes[dep].managed]
        times: dict[str, float | None] = dict.fromkeys(inputs)
        for record in instance.get_asset_records(built) if built else ():
            entry = record.asset_entry
            times[entry.asset_key.to_user_string()] = data_time_of(
                entry.last_materialization.asset_materialization if entry.last_materialization else None
            )
        for dep in inputs:
            column = self.event_columns.get(dep)
            if column and not self.graph.nodes[dep].managed:
                times[dep] = newest_event(client, dep, column)
        return DataTimes(self.graph, times)


class DataTimes:
    """Data times of what a run read and, as it goes, of what it built."""

    def __init__(self, graph: Graph, read: Mapping[str, float | None]) -> None:
        self._graph, self._times = graph, dict(read)

    def built(self, key: dg.AssetKey) -> float | None:
        """Records that `key` was built from what was read; its data time, None where nothing ages it."""
        name = key.to_user_string()
        self._times[name] = contained(self._graph, name, self._times)
        return self._times[name]


def data_time_metadata(time: float | None, served_at: datetime | None = None) -> dict[str, Any]:
    """A data time and the lag it means, now or when the rows were `served_at`, as materialization metadata."""
    if time is None:
        return {}
    lag = (served_at or datetime.now(UTC)).timestamp() - time
    return {DATA_TIME: dg.MetadataValue.timestamp(time), LAG: round(lag, 1)}


def data_time_of(materialization: dg.AssetMaterialization | None) -> float | None:
    """The recorded data time of a materialization, seconds since the epoch."""
    value = materialization.metadata.get(DATA_TIME) if materialization else None
    return float(value.value) if isinstance(value, dg.TimestampMetadataValue) else None
