"""A ClickHouse of their own for the import tests: they count rows of source tables and must find them empty."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.source_tables import SourceTable
from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.run import FileReport, ImportOptions, run_import
from stir_assets.settings import Settings
from stir_assets.world.schema import create_source_tables, source_tables
from stir_assets_tests.fixtures.stack import Engines

Import = Callable[..., list[FileReport]]


@pytest.fixture(scope="package")
def import_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    session = Engines(tmp_path_factory.mktemp("importers"))
    try:
        yield session.need("clickhouse")
    finally:
        session.stack().stop()
        shutil.rmtree(session.home / "clickhouse", ignore_errors=True)


@pytest.fixture(scope="package")
def server(import_environment: dict[str, str]) -> Iterator[Client]:
    with contextlib.closing(clickhouse_client(Settings.from_env(import_environment).clickhouse)) as client:
        create_source_tables(client)
        yield client


@pytest.fixture
def client(server: Client) -> Client:
    """The server with all source tables empty."""
    for table in _filled(server):
        server.command(f"TRUNCATE TABLE {table.quoted}")
    return server


def _filled(server: Client) -> list[SourceTable]:
    """The source tables that hold rows."""
    names = server.query("SELECT concat(database, '.', name) FROM system.tables WHERE total_rows > 0")
    filled = {name for (name,) in names.result_rows}
    return [table for table in source_tables() if table.key in filled]


@pytest.fixture
def load(client: Client, tmp_path: Path) -> Import:
    """Import texts or bytes: `load("kind", {"a.csv": "..."}, country="IN")`; rejects land in rejects.csv."""

    def run(
        kind: str, files: dict[str, str | bytes], titles: dict[str, str] | None = None, **options
    ) -> list[FileReport]:
        def put(name: str, content: str | bytes) -> Path:
            path = tmp_path / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            return path

        with RejectsFile(tmp_path / "rejects.csv") as rejects:
            return run_import(
                client,
                ImportOptions(
                    kind,
                    tuple(put(name, content) for name, content in files.items()),
                    titles=tuple(put(name, content) for name, content in (titles or {}).items()),
                    **options,
                ),
                rejects,
            )

    return run


@pytest.fixture
def state(client: Client) -> Callable[[], dict[str, tuple[int, int]]]:
    """Rows and a checksum over all values of every source table that is not empty."""

    def read() -> dict[str, tuple[int, int]]:
        found = {}
        for table in _filled(client):
            columns = ", ".join(f"toString({c})" if "Tuple" in c else f"`{c}`" for c in table.column_names)
            sql = f"SELECT count(), groupBitXor(cityHash64(toString(tuple({columns})))) FROM {table.quoted}"
            found[table.key] = tuple(client.query(sql).result_rows[0])
        return found

    return read
