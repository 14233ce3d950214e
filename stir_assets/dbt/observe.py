"""What is known of a model's table once it is built, as materialization metadata: size, columns, column lineage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from clickhouse_connect.driver.client import Client
from dagster_dbt import DagsterDbtTranslator

from stir_assets.dbt.column_lineage import column_lineage


class ModelObserver:
    """Asks ClickHouse about tables of models; descriptions and upstreams come from the manifest."""

    def __init__(self, manifest: Mapping[str, Any], translator: DagsterDbtTranslator) -> None:
        self._models = {
            node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"
        }
        self._nodes = {**manifest["nodes"], **manifest["sources"]}
        self._translator = translator

    def metadata(self, client: Client, database: str, model: str, target: Path) -> dict[str, Any]:
        """Row count, bytes on disk, columns and their lineage; a few milliseconds and three queries.

        `target` is dbt's target folder. Lineage is left out where the compiled SQL is not there or not understood.
        """
        facts = {
            "dagster/column_schema": self._columns(client, database, model),
            **_size(client, database, model),
        }
        lineage = self._lineage(client, database, model, target)
        return facts | ({"dagster/column_lineage": lineage} if lineage else {})

    def _columns(self, client: Client, database: str, model: str) -> dg.TableSchema:
        declared = self._models[model]["columns"]
        found = client.query(
            "select name, type from system.columns "
            "where database = {database:String} and table = {table:String} order by position",
            parameters={"database": database, "table": model},
        ).result_rows
        return dg.TableSchema(
            columns=[
                # The newest materialization hides the columns of the definition, so the descriptions go along.
                dg.TableColumn(name, type_, description=declared.get(name, {}).get("description") or None)
                for name, type_ in found
            ]
        )

    def _lineage(
        self, client: Client, database: str, model: str, target: Path
    ) -> dg.TableColumnLineage | None:
        node = self._models[model]
        try:
            sql = (target / "compiled" / node["package_name"] / node["original_file_path"]).read_text("utf-8")
        except OSError:
            return None
        keys = {self._relation(name, database): self._key(name) for name in node["depends_on"]["nodes"]}
        tables: dict[str, dict[str, list[str]]] = {}
        for schema, table, column in client.query(
            "select database, table, name from system.columns "
            "where (database, table) in {relations:Array(Tuple(String, String))} order by position",
            parameters={"relations": list(keys)},
        ).result_rows:
            tables.setdefault(str(schema), {}).setdefault(str(table), []).append(str(column))
        found = column_lineage(sql, tables)
        return (
            dg.TableColumnLineage(
                {
                    column: [
                        dg.TableColumnDep(keys[schema, table], name)
                        for schema, table, name in inputs
                        if (schema, table) in keys
                    ]
                    for column, inputs in found.items()
                }
            )
            if found
            else None
        )

    def _relation(self, unique_id: str, database: str) -> tuple[str, str]:
        node = self._nodes[unique_id]
        # An image's manifest was parsed before the database of the models was known.
        return (
            (database, node["alias"])
            if unique_id.startswith("model.")
            else (node["schema"], node["identifier"])
        )

    def _key(self, unique_id: str) -> dg.AssetKey:
        return self._translator.get_asset_key(self._nodes[unique_id])


def _size(client: Client, database: str, table: str) -> dict[str, Any]:
    size = client.query(
        "select total_rows, total_bytes from system.tables "
        "where database = {database:String} and name = {table:String}",
        parameters={"database": database, "table": table},
    ).result_rows
    if not size or size[0][0] is None:
        return {}
    return {"dagster/row_count": int(size[0][0]), "stir/bytes": int(size[0][1] or 0)}
