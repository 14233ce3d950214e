"""Asset keys, the one place that spells them. See docs/design.md for the contract."""

from __future__ import annotations

import dagster as dg


def source_key(schema: str, table: str) -> dg.AssetKey:
    """A source table as dbt names it, such as beat_replica/instagram_account."""
    return dg.AssetKey([schema, table])


def model_key(model: str) -> dg.AssetKey:
    """A dbt model, such as stir/mart_leaderboard."""
    return dg.AssetKey(["stir", model])


def serving_key(environment: str, table: str) -> dg.AssetKey:
    """A published PostgreSQL table, such as serving/prod/leaderboard."""
    return dg.AssetKey(["serving", environment, table])
