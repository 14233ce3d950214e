"""What the zygote holds ready besides the definitions: dbt, its adapter and the parsed manifest."""

from __future__ import annotations

from stir_assets.dbt.runner import load_manifest
from stir_assets.settings import DBT_PROJECT_DIR, Settings


def preload() -> None:
    """Fills the caches that children inherit. Connects to nothing."""
    settings = Settings.from_env()
    if settings.dbt_mode == "inprocess":
        import dbt.adapters.clickhouse  # noqa: F401  # pyright: ignore[reportMissingImports]  # a namespace package

        load_manifest(DBT_PROJECT_DIR, settings.environment)
