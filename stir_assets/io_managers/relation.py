"""Hands a downstream asset the name of a ClickHouse table instead of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from stir_assets.publish.target import TableSource, Target


@dataclass(frozen=True)
class Relation:
    """Rows in ClickHouse that somebody else will read; none are in memory.

    `source` is a table with an optional condition, or any SELECT. `data_time` is the newest source event the
    rows contain, in seconds since the epoch; `target` is where they are published, None for a plain input.
    """

    source: str | TableSource
    data_time: float | None = None
    target: Target | None = None


class RelationIOManager(dg.ConfigurableIOManager):
    """dbt has stored the table already; a downstream argument becomes a `Relation` on it."""

    database: str = "stir"

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Nothing to store: dbt built the table."""

    def load_input(self, context: dg.InputContext) -> Relation:
        """All rows of the upstream model's table, whether or not this run built it."""
        return Relation(TableSource(context.asset_key.path[-1], self.database))
