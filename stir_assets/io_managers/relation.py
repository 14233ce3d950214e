"""Hands a downstream asset the name of a ClickHouse table instead of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg


@dataclass(frozen=True)
class Relation:
    """A SELECT on ClickHouse that somebody else will run; no rows are in memory."""

    sql: str
    table: str | None = None
    """The single table behind it as `database.table`, when the SELECT reads just one."""


class RelationIOManager(dg.ConfigurableIOManager):
    """dbt has stored the table already; a downstream argument becomes a `Relation` on it."""

    database: str = "stir"

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Nothing to store: dbt built the table."""

    def load_input(self, context: dg.InputContext) -> Relation:
        """`select *` on the upstream model's table, whether or not this run built it."""
        table = f"{self.database}.{context.asset_key.path[-1]}"
        return Relation(sql=f"select * from {table}", table=table)  # noqa: S608 - a model's name, from our manifest
