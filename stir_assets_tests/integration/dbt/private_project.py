"""A copy of the dbt project on databases of a test's own, so that it can feed sources and rebuild models at will."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from stir_assets.settings import ClickHouseSettings
from stir_assets.world.schema import create_source_tables

PROJECT = Path(__file__).parents[3] / "stir_dbt"
_QUIET = ("--quiet", "--log-level-file", "none", "--no-write-json", "--no-populate-cache")


@dataclass
class PrivateProject:
    """dbt on the database `database`; `run` builds into it, `source` names a source database."""

    folder: Path
    server: ClickHouseSettings
    database: str
    tables: dict[str, list[str]]
    manifest: Manifest | None = field(default=None, repr=False)

    def source(self, schema: str) -> str:
        return f"{self.database}_{schema}"

    def run(self, select: str, *arguments: str, **variables: object) -> None:
        """`dbt run --select ...`; fails with dbt's own words."""
        command = [*_QUIET, "run", "--select", *select.split(), "--vars", json.dumps(variables), *arguments]
        environment = {
            "DBT_PROJECT_DIR": str(self.folder),
            "DBT_PROFILES_DIR": str(self.folder),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "STIR_CLICKHOUSE_HOST": self.server.host,
            "STIR_CLICKHOUSE_PORT": str(self.server.port),
            "STIR_CLICKHOUSE_USER": self.server.user,
            "STIR_CLICKHOUSE_PASSWORD": self.server.password,
            "STIR_CLICKHOUSE_DATABASE": self.database,
        }
        # In this process and parsed once, as Stir's runs do: both take longer than these models.
        with mock.patch.dict(os.environ, environment):
            if self.manifest is None:
                parsed = dbtRunner().invoke([*_QUIET, "parse"])
                assert isinstance(parsed.result, Manifest), parsed.exception
                self.manifest = parsed.result
            done = dbtRunner(manifest=self.manifest).invoke(command)
        results = getattr(done.result, "results", None) or []
        failed = [
            f"{result.node.name}: {result.message}"
            for result in results
            if result.message and result.status != "success"
        ]
        assert done.success, failed or done.exception

    def empty_sources(self, client: Client) -> None:
        for schema, names in self.tables.items():
            for name in names:
                client.command(f"truncate table {self.source(schema)}.`{name}`")

    def drop(self, client: Client) -> None:
        for schema in self.tables:
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
    database = str(client.database)
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs", ".user.yml", *without))
    for path in (folder / "models" / "sources").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(
            re.sub(r"(?m)^    schema: (\w+)$", rf"    schema: {database}_\1", text), encoding="utf-8"
        )
    project = PrivateProject(folder, server, database, tables)
    create_source_tables(client)
    for schema, names in tables.items():
        client.command(f"create database if not exists {project.source(schema)}")
        for name in names:
            client.command(f"create table {project.source(schema)}.`{name}` as {schema}.`{name}`")
    return project
