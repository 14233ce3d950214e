"""The ways of `stir bench publish` to get the table from ClickHouse into PostgreSQL; each runs in a process of its own.

`python -m stir_assets.bench.publish_ways WAY FOLDER` with the stack's environment; prints what it measured as JSON.
Every way ends with all rows in a logged table of SCHEMA; the ones that Stir is compared with get the same help:
files on the local disk instead of a transfer, no index, nothing to carry or to check.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg

from stir_assets.bench.publish_table import (
    COLUMNS,
    FLOATS,
    INTEGERS,
    MAPS,
    RELATION,
    SCHEMA,
    TABLE,
    TEXTS,
    create_sql,
    target,
)
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.core.staging import publication_staging
from stir_assets.errors import ConfigError
from stir_assets.publish.publisher import Publisher
from stir_assets.publish.types import EXPORT_SETTINGS
from stir_assets.settings import Settings

PLACE = f"{SCHEMA}.{TABLE}"


@dataclass
class Outcome:
    """Seconds by the clock, by step; CPU seconds and peak resident bytes of this process; rows at the end."""

    seconds: dict[str, float] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    cpu: float = 0.0
    peak: int = 0
    rows: int = 0
    note: str = ""

    @property
    def total(self) -> float:
        """The steps that count."""
        return sum(value for name, value in self.seconds.items() if not self.counted or name in self.counted)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin


@dataclass(frozen=True)
class Place:
    """What a way has at hand: settings, a superuser's DSN for COPY from a file, and a folder the server can read."""

    settings: Settings
    admin_dsn: str
    folder: Path

    def sql(self, *statements: str) -> None:
        """Run statements as the superuser, each a transaction of its own."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def dump(self, query: str, name: str, settings: dict[str, Any]) -> Path:
        """A ClickHouse result as a file."""
        path = self.folder / name
        with closing(clickhouse_client(self.settings.clickhouse)) as client, path.open("wb") as file:
            for chunk in cast(Iterable[bytes], client.raw_stream(query, settings=settings)):
                file.write(chunk)
        path.chmod(0o644)
        return path


def _publish(place: Place, *, indexed: bool, source: str) -> Outcome:
    s3, clickhouse = place.settings.s3, place.settings.clickhouse
    staging = publication_staging(replace(s3, prefix="bench"))
    publisher = Publisher(lambda: clickhouse_client(clickhouse), place.settings.postgres_dsn, staging)
    published = publisher.publish(target(indexed=indexed), source, run_id=uuid.uuid4().hex)
    return Outcome(seconds=dict(published.seconds), note=f"{published.staged_bytes / 1e6:.0f} MB staged")


def stir(place: Place) -> Outcome:
    """Export and load by Stir, of a table: from the freezing of the snapshot to the last row checked."""
    outcome = _publish(place, indexed=False, source=f"select * from {RELATION}")
    outcome.counted = ("snapshot", "count", "load")
    return outcome


def stir_view(place: Place) -> Outcome:
    """The same of any other SELECT, which is written out in ClickHouse first."""
    outcome = _publish(place, indexed=False, source=f"select * from (select * from {RELATION})")
    outcome.counted = ("snapshot", "count", "load")
    return outcome


def stir_full(place: Place) -> Outcome:
    """The whole publication: two indexes, statistics, guards, swap, clean-up."""
    return _publish(place, indexed=True, source=f"select * from {RELATION}")


def floor(place: Place) -> Outcome:
    """PostgreSQL's own COPY, server-side, of the same bytes from a local file into a logged table."""
    path = place.folder / "floor.tsv"
    if not path.exists():  # made once; only the COPY counts
        maps = ", ".join(f"toJSONString({name})" for name in MAPS)
        plain = ", ".join(name for name in COLUMNS if name not in MAPS)
        place.dump(
            f"select {plain}, {maps} from {RELATION} format TabSeparated", path.name, dict(EXPORT_SETTINGS)
        )
    outcome = Outcome()
    place.sql(create_sql(PLACE))
    with outcome.step("copy"):
        place.sql(f"copy {PLACE} from '{path}'")
    outcome.note = f"{path.stat().st_size / 1e6:.0f} MB"
    return outcome


_OLD_SETTINGS = {"output_format_json_quote_64bit_integers": 0}


def old(place: Place) -> Outcome:
    """The predecessor's way, without its transfers: JSONEachRow, jsonb rows, casts, SET LOGGED."""
    outcome = Outcome()
    with outcome.step("export"):
        path = place.dump(f"select * from {RELATION} format JSONEachRow", "old.json", _OLD_SETTINGS)
    return _old_load(place, path, outcome)


def old_s3(place: Place) -> Outcome:
    """The predecessor's way with S3 between the servers, as it was; a download stands for its copy over ssh."""
    outcome = Outcome()
    staging = publication_staging(replace(place.settings.s3, prefix="bench"))
    key, path = "bench/old.json", place.folder / "old.json"
    with outcome.step("export"), closing(clickhouse_client(place.settings.clickhouse)) as client:
        client.command(
            f"insert into function s3('{staging.url(key)}', 'JSONEachRow') select * from {RELATION}",
            settings=_OLD_SETTINGS | {"s3_truncate_on_insert": 1},
        )
    with outcome.step("copy to the host"), path.open("wb") as file:
        # In one piece: moto reads the whole object for every part of it.
        shutil.copyfileobj(
            staging.client.get_object(Bucket=staging.bucket, Key=key)["Body"], file, length=1 << 20
        )
    path.chmod(0o644)
    staging.client.delete_object(Bucket=staging.bucket, Key=key)
    return _old_load(place, path, outcome)


def _old_load(place: Place, path: Path, outcome: Outcome) -> Outcome:
    casts = [
        "(data->>'month')::timestamp",
        *(f"(data->>'{name}')::int8" for name in INTEGERS),
        *(f"(data->>'{name}')::float8" for name in FLOATS),
        *(f"data->>'{name}'" for name in TEXTS),
        *(f"(data->>'{name}')::jsonb" for name in MAPS),
    ]
    with psycopg.connect(place.admin_dsn, autocommit=True) as connection:
        for name, statement in (
            ("make", "create temporary table rows (data jsonb)"),
            ("copy", f"copy rows from '{path}' with (format csv, quote e'\\x01', delimiter e'\\x02')"),
            ("make table", create_sql(PLACE, kind="unlogged")),
            ("casts", f"insert into {PLACE} select {', '.join(casts)} from rows"),
            ("set logged", f"alter table {PLACE} set logged"),
        ):
            with outcome.step(name):
                connection.execute(statement.encode())
    path.unlink()
    return outcome


def postgresql(place: Place) -> Outcome:
    """ClickHouse's own INSERT INTO FUNCTION postgresql(): the password stands in the statement."""
    dsn = urlsplit(place.settings.postgres_dsn)
    place.sql(create_sql(PLACE), f"grant insert, select on {PLACE} to {dsn.username}")
    maps = ", ".join(f"toJSONString({name})" for name in MAPS)
    plain = ", ".join(name for name in COLUMNS if name not in MAPS)
    function = (
        f"postgresql('{dsn.hostname}:{dsn.port}', '{dsn.path.strip('/')}', '{TABLE}', '{dsn.username}', "
        f"'{dsn.password}', '{SCHEMA}')"
    )
    outcome = Outcome()
    with outcome.step("insert"), closing(clickhouse_client(place.settings.clickhouse)) as client:
        client.command(
            f"insert into function {function} ({', '.join(COLUMNS)}) select {plain}, {maps} from {RELATION}"
        )
    return outcome


def adbc(place: Place) -> Outcome:
    """ADBC's ingest of Arrow batches (COPY BINARY); it writes maps as text, so jsonb is a rewrite afterwards."""
    dbapi = _needed("adbc_driver_postgresql.dbapi")
    arrow = _needed("pyarrow")
    outcome = Outcome()
    with closing(clickhouse_client(place.settings.clickhouse)) as client, outcome.step("ingest"):
        batches = _batches(client)
        first = next(batches)
        reader = arrow.RecordBatchReader.from_batches(first.schema, _chain(first, batches))
        with dbapi.connect(place.admin_dsn) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(TABLE, reader, mode="create", db_schema_name=SCHEMA)
            connection.commit()
    changes = ", ".join(f"alter {name} type jsonb using {name}::jsonb" for name in MAPS)
    with outcome.step("to jsonb"):
        place.sql(f"alter table {PLACE} {changes}, alter month type timestamp using month at time zone 'UTC'")
    return outcome


def dlt(place: Place) -> Outcome:
    """dlt, Arrow batches in, write disposition replace, csv files (COPY)."""
    library = _needed("dlt")
    home = place.folder / "dlt"
    os.environ |= {
        "DLT_DATA_DIR": str(home), "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR",
        "DESTINATION__POSTGRES__CREDENTIALS": place.admin_dsn,
    }  # fmt: skip
    pipeline = library.pipeline("bench", destination="postgres", dataset_name=SCHEMA, pipelines_dir=str(home))
    hints = {name: {"data_type": "json"} for name in MAPS}
    outcome = Outcome()
    with closing(clickhouse_client(place.settings.clickhouse)) as client:
        source = library.resource(
            lambda: _batches(client),
            name=TABLE,
            write_disposition="replace",
            columns=hints,
            file_format="csv",
        )
        with outcome.step("extract"):
            pipeline.extract(source)
        with outcome.step("normalize"):
            pipeline.normalize()
        with outcome.step("load"):
            pipeline.load()
    shutil.rmtree(home, ignore_errors=True)
    return outcome


WAYS: dict[str, Callable[[Place], Outcome]] = {
    way.__name__.replace("_", "-"): way
    for way in (stir, stir_view, stir_full, floor, old, old_s3, dlt, adbc, postgresql)
}


def _batches(client: Any) -> Iterator[Any]:
    """Arrow record batches of the relation, texts as strings and maps as JSON text."""
    maps = ", ".join(f"toJSONString({name}) as {name}" for name in MAPS)
    plain = ", ".join(name for name in COLUMNS if name not in (*MAPS, "month"))
    # As DateTime64, because Arrow has no DateTime and takes its number.
    query = f"select toDateTime64(month, 6, 'UTC') as month, {plain}, {maps} from {RELATION}"
    with client.query_arrow_stream(query, settings={"max_block_size": 50_000}) as stream:
        for table in stream:
            yield from table.to_batches() if hasattr(table, "to_batches") else (table,)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed: `pip install 'stir[bench]'`, or leave it out with --only"
        ) from error


def _peak() -> int:
    """Peak resident bytes of this process since it was started."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def main(name: str, folder: str) -> None:
    """Run one way and print its outcome."""
    place = Place(Settings.from_env(), os.environ["BENCH_ADMIN_DSN"], Path(folder))
    begin = sum(os.times()[:4])
    outcome = WAYS[name](place)
    outcome.cpu, outcome.peak = sum(os.times()[:4]) - begin, _peak()
    with psycopg.connect(place.admin_dsn) as connection:
        row = connection.execute(f"select count(*) from {PLACE}".encode()).fetchone()
    outcome.rows = row[0] if row else 0
    print(json.dumps(asdict(outcome) | {"total": outcome.total}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
