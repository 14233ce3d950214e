"""`stir phone-key`: the key of the phone hashes, from STIR_PII_SALT into ClickHouse."""

from __future__ import annotations

import contextlib
import json

import click

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.phone_key import key_database, store_phone_key
from stir_assets.dbt.phone_key import hashing_models
from stir_assets.dbt.project import stir_dbt_project
from stir_assets.errors import ConfigError
from stir_assets.local.connect import connected_settings
from stir_assets.settings import DBT_PROJECT_DIR, Environment, pii_salt


@click.command()
@click.option(
    "--replace",
    is_flag=True,
    help="Give up the stored key and remove the hashes made with it from all models.",
)
def command(replace: bool) -> None:
    """Store the key with which models hash phone numbers, made from STIR_PII_SALT.

    Runs by Dagster do this themselves; it is for dbt alone, and for a new salt (--replace; while no run is under way
    that still hashes with the old one).
    """
    settings = connected_settings()
    salt = pii_salt()
    if not salt:
        raise ConfigError("STIR_PII_SALT is not set: set it to a long random text, the same for every run")
    server = settings.clickhouse
    models = _hashing_models(settings.environment) if replace else None
    with contextlib.closing(clickhouse_client(server)) as client:
        written = store_phone_key(client, server.database, salt, replacing=models, cluster=server.cluster)
    place = key_database(server.database)
    if not written:
        click.echo(f"the key of STIR_PII_SALT is already stored in {place}")
        return
    click.secho(f"stored in {place}; only the user of dbt may read that database", fg="green")
    if models is not None:
        selection = " or ".join(f'key:"stir/{name}"' for name in models)
        click.echo(
            f"hashes of an older key were removed from {', '.join(models)}; new ones come with their next run, "
            f"or now: stir run '{selection}'"
        )


def _hashing_models(environment: Environment) -> list[str]:
    manifest = stir_dbt_project(DBT_PROJECT_DIR, environment).manifest_path
    return sorted(hashing_models(json.loads(manifest.read_text(encoding="utf-8"))))
