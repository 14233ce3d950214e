"""A copy of the dbt project whose sources are a test's own databases, so that it can feed and rebuild them at will."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from stir_assets.settings import ClickHouseSettings
from stir_assets.world.schema import create_source_tables

PROJECT = Path(__file__).parents[3] / "stir_dbt"


@dataclass(frozen=True)
class PrivateProject:
    """dbt on a database and source databases of one test; `run` builds, `source` names a source database."""

    folder: Path
    server: ClickHouseSettings
    prefix: str

    def source(self, schema: str) -> str:
        return f"{self.prefix}_{schema}"

    def run(self, select: str, *arguments: str, database: str, **variables: object) -> None:
        """`dbt run --select ...` into `database`; fails with dbt's own words."""
        command = ["run", "--select", *select.split(), "--vars", json.dumps(variables), *arguments]
        environment = {
            "DBT_PROJECT_DIR": str(self.folder),
            "DBT_PROFILES_DIR": str(self.folder),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "STIR_CLICKHOUSE_HOST": self.server.host,
            "STIR_CLICKHOUSE_PORT": str(self.server.port),
            "STIR_CLICKHOUSE_USER": self.server.user,
            "STIR_CLICKHOUSE_PASSWORD": self.server.password,
            "STIR_CLICKHOUSE_DATABASE": database,
        }
        # In this process, as Stir's runs do: starting another dbt takes longer than these models.
        with mock.patch.dict(os.environ, environment):
            done = dbtRunner().invoke(command)
        results = getattr(done.result, "results", None) or []
        failed = [
            f"{result.node.name}: {result.message}"
            for result in results
            if result.message and result.status != "success"
        ]
        assert done.success, failed or done.exception

    def drop(self, client: Client, schemas: list[str]) -> None:
        for schema in schemas:
            client.command(f"drop database if exists {self.source(schema)}")


def private_project(
    folder: Path,
    client: Client,
    server: ClickHouseSettings,
    tables: dict[str, list[str]],
    *,
    without: tuple[str, ...] = ("marts",),
) -> PrivateProject:
    """Copies the project to `folder` and makes empty copies of the source `tables` (schema -> names).

    `without` are folders of models nobody needs here: parsing them would be most of the test's time.
    """
    prefix = str(client.database)
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs", ".user.yml", *without))
    for path in (folder / "models" / "sources").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"(?m)^    schema: (\w+)$", rf"    schema: {prefix}_\1", text), encoding="utf-8"
        )
    project = PrivateProject(folder, server, prefix)
    create_source_tables(client)
    for schema, names in tables.items():
        client.command(f"create database if not exists {project.source(schema)}")
        for name in names:
            client.command(f"create table {project.source(schema)}.`{name}` as {schema}.`{name}`")
    return project
