"""What the zygote holds ready besides the definitions: dbt, its adapter and the parsed manifest, what the S3 SDK reads."""

from __future__ import annotations

import importlib

from botocore import UNSIGNED
from botocore.config import Config

from stir_assets.core.s3 import s3_client
from stir_assets.dbt.project import warm_up
from stir_assets.dbt.runner import load_manifest
from stir_assets.settings import DBT_PROJECT_DIR, Settings


def preload() -> None:
    """Fills the caches that children inherit. Connects to nothing."""
    settings = Settings.from_env()
    # The SDK reads its descriptions for the first client; unsigned, because credentials may be asked for at a service.
    s3_client(settings.s3, config=Config(signature_version=UNSIGNED))
    if settings.dbt_mode == "inprocess":
        # What an invocation would import by and by.
        for name in ("dbt.cli.main", "dbt.adapters.clickhouse.httpclient", "dbt_common.clients.agate_helper"):
            importlib.import_module(name)
        manifest = load_manifest(DBT_PROJECT_DIR, settings.environment)
        warm_up(DBT_PROJECT_DIR, settings.environment, manifest)
