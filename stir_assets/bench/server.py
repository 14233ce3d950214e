"""What the HTTP server around the embedded ClickHouse costs: `stir bench server`.

A server in a process of its own, asked over loopback with kept-alive connections, against chdb called in this
process on the same statements. One table of an event log's shape serves all throughputs.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import chdb
import click
import clickhouse_connect
import psutil
import urllib3

from stir_assets.local.clickhouse.process import ClickHouseProcess

FORMATS = ("Native", "RowBinary", "TSV", "CSV", "JSONEachRow", "ArrowStream", "Parquet")
CLIENTS = (1, 4, 16, 64)
_CHUNK = 1 << 20
_PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as this command
_EVENTS = (
    "select number as id, concat('profile_', toString(number % 20000)) as handle,"
    " toDateTime(1760000000) + number % 2592000 as at, cityHash64(number) % 1000000 as likes,"
    " hex(sipHash128(number)) as post from numbers({rows})"
)
_TABLE = "(id UInt64, handle String, at DateTime, likes UInt64, post String) engine = MergeTree order by id"


class Asker:
    """Plain HTTP to the server, connections kept."""

    def __init__(self, server: ClickHouseProcess) -> None:
        self._pool = urllib3.PoolManager(maxsize=max(CLIENTS), timeout=600, retries=False)
        self._url = server.url
        self._headers = {"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password}

    def send(self, sql: str, body: bytes | Iterator[bytes] = b"") -> urllib3.BaseHTTPResponse:
        """Send a statement; the response is unread. Raises `RuntimeError` with the server's words."""
        url = f"{self._url}/?{urlencode({'query': sql})}"
        answer = self._pool.request("POST", url, body=body, headers=self._headers, preload_content=False)
        if answer.status != 200:
            raise RuntimeError(answer.read().decode())
        return answer

    def text(self, sql: str) -> str:
        """Send a statement, read its answer."""
        answer = self.send(sql)
        found = answer.read().decode()
        answer.release_conn()
        return found


def _milliseconds(call: Callable[[], object], times: int) -> list[float]:
    call()
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        took.append((time.perf_counter() - begin) * 1e3)
    return took


def _cost_per_query(server: ClickHouseProcess, asker: Asker, folder: Path, times: int) -> None:
    """The same statements in this process, by plain HTTP and by the official client."""
    click.echo(f"\nmilliseconds a query, median (95 %) of {times}")
    click.echo(f"{'':<26}{'chdb in-process':>18}{'plain HTTP':>18}{'clickhouse-connect':>20}")
    engine = chdb.connect(str(folder / "in-process"))
    client = clickhouse_connect.get_client(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        autogenerate_session_id=False,
    )
    engine.query("create table one (a UInt64) engine = MergeTree order by a")
    asker.text("create table one (a UInt64) engine = MergeTree order by a")
    statements = {
        "select 1": "select 1",
        "a million rows summed": "select sum(number) from numbers(1000000)",
        "10,000 rows returned": "select number from numbers(10000)",
        "one row inserted": "insert into one values (1)",
    }
    for name, sql in statements.items():
        ask = client.command if sql.startswith("insert") else client.query
        cells = []
        for call in (
            lambda s=sql: engine.query(s, "Native").bytes(),
            lambda s=sql: asker.text(s),
            lambda s=sql, a=ask: a(s),
        ):
            took = sorted(_milliseconds(call, times))
            cells.append(f"{statistics.median(took):.2f} ({took[int(len(took) * 0.95)]:.2f})")
        click.echo(f"{name:<26}{cells[0]:>18}{cells[1]:>18}{cells[2]:>20}")
    client.close()
    engine.close()


def _at_once(asker: Asker, seconds: float) -> None:
    click.echo(f"\nrequests at once: select 1, {seconds:.0f} s each")
    for clients in CLIENTS:
        end = time.perf_counter() + seconds

        def work(_: int, end: float = end) -> int:
            done = 0
            while time.perf_counter() < end:
                asker.text("select 1")
                done += 1
            return done

        begin = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            done = sum(pool.map(work, range(clients)))
        click.echo(f"{clients:>4} clients {done / (time.perf_counter() - begin):>8,.0f} queries/s")


def _streaming(server: ClickHouseProcess, asker: Asker, rows: int, folder: Path) -> None:
    """Results read and bodies sent, each as one stream; the server's memory at its peak beside them."""
    process = psutil.Process(server.pid)
    click.echo(f"\nstreaming {rows:,} rows of 5 columns")
    head = ("format", "MB", "out MB/s", "out rows/s", "in MB/s", "in rows/s", "server RSS MB")
    click.echo("{:<13}{:>7}{:>10}{:>13}{:>9}{:>12}{:>15}".format(*head))
    asker.text(f"create table events {_TABLE}")
    asker.text(f"insert into events {_EVENTS.format(rows=rows)}")
    for fmt in FORMATS:
        body = folder / "body"
        begin, size, memory = time.perf_counter(), 0, 0
        answer = asker.send(f"select * from events format {fmt}")  # noqa: S608 - a name of FORMATS
        with body.open("wb") as file:
            for chunk in answer.stream(_CHUNK):
                size += len(chunk)
                file.write(chunk)
                memory = max(memory, process.memory_info().rss)
        out = time.perf_counter() - begin
        asker.text(f"create or replace table copy {_TABLE}")

        def chunks(path: Path = body) -> Iterator[bytes]:
            nonlocal memory
            with path.open("rb") as file:
                while data := file.read(_CHUNK):
                    memory = max(memory, process.memory_info().rss)
                    yield data

        begin = time.perf_counter()
        asker.send(f"insert into copy format {fmt}", chunks()).read()
        taken = time.perf_counter() - begin
        memory = max(memory, process.memory_info().rss)
        arrived = int(asker.text("select uniqExact(id) from copy"))
        if arrived != rows:
            raise RuntimeError(f"{fmt}: {arrived} of {rows} rows arrived")
        click.echo(
            f"{fmt:<13}{size / 1e6:>7.0f}{size / out / 1e6:>10.0f}{rows / out:>13,.0f}"
            f"{size / taken / 1e6:>9.0f}{rows / taken:>12,.0f}{memory / 1e6:>15.0f}"
        )


@click.command()
@click.option("--rows", default=2_000_000, show_default=True, help="rows streamed in each format")
@click.option("--times", default=200, show_default=True, help="repetitions of each small query")
@click.option("--seconds", default=3.0, show_default=True, help="length of each run of requests at once")
def command(rows: int, times: int, seconds: float) -> None:
    """Cost per query against chdb in-process, streaming throughput by format, many requests at once."""
    with tempfile.TemporaryDirectory(prefix="stir-bench-") as name:
        folder = Path(name)
        with ClickHouseProcess(folder / "server", password=_PASSWORD) as server:
            asker = Asker(server)
            click.echo(f"ClickHouse {asker.text('select version()').strip()}, {psutil.cpu_count()} cores")
            _cost_per_query(server, asker, folder, times)
            _at_once(asker, seconds)
            _streaming(server, asker, rows, folder)
