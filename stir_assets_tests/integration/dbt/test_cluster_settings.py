"""The DDL that dbt sends on a single node and on a cluster, rendered by dbt-clickhouse with this project's macros.

Only the text: the embedded engine cannot be a member of a cluster.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from unittest import mock

import pytest
from clickhouse_connect.driver.client import Client
from dbt.cli.main import dbtRunner

from stir_assets.settings import DBT_PROJECT_DIR, ClickHouseSettings

ENGINES = {
    "full_copy": "",
    "event_log": "engine='ReplacingMergeTree(updated_at)', partition_by='toYYYYMM(updated_at)',",
    "named": "engine='ReplicatedMergeTree',",
    "in_memory": "engine='Memory',",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's settings and macros, and for models the DDL of tables with the given engines."""
    folder = tmp_path_factory.mktemp("probe") / "stir_dbt"
    shutil.copytree(
        DBT_PROJECT_DIR, folder, ignore=shutil.ignore_patterns("models", "tests", "target", "logs")
    )
    (folder / "models" / "marts").mkdir(parents=True)
    for name, engine in ENGINES.items():
        (folder / "models" / "marts" / f"{name}.sql").write_text(
            f"{{{{ config({engine} order_by='id') }}}}\n"
            "{% if execute %}create table {{ this }} {{ on_cluster_clause(this) }} {{ engine_clause() }} order by id"
            "{% endif %}\n"
        )
    return folder


def ddl(project: Path, client: Client, server: ClickHouseSettings, cluster: str) -> dict[str, str]:
    environment = {
        "STIR_CLICKHOUSE_HOST": server.host,
        "STIR_CLICKHOUSE_PORT": str(server.port),
        "STIR_CLICKHOUSE_USER": server.user,
        "STIR_CLICKHOUSE_PASSWORD": server.password,
        "STIR_CLICKHOUSE_DATABASE": str(client.database),
        "STIR_CLICKHOUSE_CLUSTER": cluster,
    }
    command = [
        *("--quiet", "--log-level-file", "none", "--no-write-json", "--no-populate-cache"),
        *("compile", "--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(project / f"target-{cluster}")),
    ]
    # In this process: starting another dbt takes longer than these models.
    with mock.patch.dict(os.environ, environment):
        done = dbtRunner().invoke(command)
    assert done.success, done.exception or done.result
    compiled = project / f"target-{cluster}" / "compiled" / "stir" / "models" / "marts"
    return {name: re.sub(r"\s+", " ", (compiled / f"{name}.sql").read_text()) for name in ENGINES}


def test_a_cluster_gets_replicated_tables_on_all_its_nodes(
    project: Path, clickhouse: Client, clickhouse_server: ClickHouseSettings
) -> None:
    found = ddl(project, clickhouse, clickhouse_server, "two_nodes")
    for name, sql in found.items():
        assert f'create table `{clickhouse.database}`.`{name}` ON CLUSTER "two_nodes" engine' in sql
    assert "engine = ReplicatedMergeTree() " in found["full_copy"]
    assert "engine = ReplicatedReplacingMergeTree(updated_at) " in found["event_log"]
    assert "engine = ReplicatedMergeTree " in found["named"]
    assert "engine = Memory " in found["in_memory"]


def test_a_single_node_gets_the_engines_as_written(
    project: Path, clickhouse: Client, clickhouse_server: ClickHouseSettings
) -> None:
    found = ddl(project, clickhouse, clickhouse_server, "")
    assert not [name for name, sql in found.items() if "ON CLUSTER" in sql]
    assert "engine = MergeTree() " in found["full_copy"]
    assert "engine = ReplacingMergeTree(updated_at) " in found["event_log"]
