"""Signs of life while a statement computes: a client with a short read timeout waits for a long statement."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.clickhouse.raw import ask, send

SLOW = "sleepEachRow(0.7) from numbers(4) settings max_block_size = 1"
OFTEN = {"http_headers_progress_interval_ms": 200}
"""The client's own interval is 10 s or more; a timeout below that is for tests only."""


def arguments(server: ClickHouseSettings) -> dict[str, object]:
    return {
        "host": server.host,
        "port": server.port,
        "username": server.user,
        "password": server.password,
        "send_receive_timeout": 2,
    }


@pytest.fixture
def impatient(clickhouse_server: ClickHouseSettings, clickhouse: Client) -> Iterator[Client]:
    """A client that gives up after two seconds without a byte."""
    given = {**arguments(clickhouse_server), "database": clickhouse.database}
    with contextlib.closing(clickhouse_connect.get_client(**given)) as client:
        yield client


def query(client: Client) -> None:
    assert len(client.query(f"select {SLOW}", settings=OFTEN).result_rows) == 4


def insert_select(client: Client) -> None:
    client.command("create table t (a UInt8) engine = MergeTree order by a")
    summary = client.command(f"insert into t select {SLOW}", settings=OFTEN)
    assert int(summary.summary["written_rows"]) == 4  # pyright: ignore[reportAttributeAccessIssue]


def insert_rows(client: Client) -> None:
    slow = "b UInt8 materialized sleepEachRow(0.7)"
    client.command(f"create table t (a UInt8, {slow}) engine = MergeTree order by a")
    assert client.insert("t", [[1], [2], [3], [4]], ["a"], settings=OFTEN).written_rows == 4


@pytest.mark.parametrize("statement", [query, insert_select, insert_rows])
def test_a_statement_may_take_longer_than_the_clients_read_timeout(
    impatient: Client, statement: Callable[[Client], None]
) -> None:
    statement(impatient)


def test_the_async_client_waits_as_well(clickhouse_server: ClickHouseSettings) -> None:
    async def answered() -> int:
        client = await clickhouse_connect.get_async_client(**arguments(clickhouse_server))
        try:
            return len((await client.query(f"select {SLOW}", settings=OFTEN)).result_rows)
        finally:
            await client.close()

    assert asyncio.run(answered()) == 4


def test_without_progress_the_client_gives_up(impatient: Client) -> None:
    with pytest.raises(OperationalError):
        impatient.query(f"select {SLOW}")


def test_an_error_after_progress_is_the_exception_that_it_is(impatient: Client) -> None:
    with pytest.raises(DatabaseError, match=r"395.*too late"):
        impatient.query(f"select throwIf(number = 3, 'too late'), {SLOW}", settings=OFTEN)
    assert impatient.command("select 1") == 1, "the connection goes on"


def test_progress_has_true_figures_in_headers_of_their_own(clickhouse_server: ClickHouseSettings) -> None:
    asked = {"send_progress_in_http_headers": 1, "http_headers_progress_interval_ms": 200}
    with contextlib.closing(send(clickhouse_server, f"select number, {SLOW}", **asked)) as client:
        answer = client.makefile("rb")
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        lines = [line.decode().partition(": ")[::2] for line in iter(answer.readline, b"\r\n")]
        sent = [json.loads(value) for name, value in lines if name == "X-ClickHouse-Progress"]
        headers = {name: value.strip() for name, value in lines}
        body = answer.read(int(headers["Content-Length"]))
    assert body.splitlines() == [b"0\t0", b"1\t0", b"2\t0", b"3\t0"]
    for figures in (sent, [*sent, json.loads(headers["X-ClickHouse-Summary"])]):
        for name in ("read_rows", "elapsed_ns"):
            values = [int(figure[name]) for figure in figures[:-1]]
            assert values == sorted(values), name
    assert len(sent) >= 3
    assert int(sent[-1]["read_rows"]) > 0
    assert int(sent[-1]["total_rows_to_read"]) == 4


def test_a_wrong_interval_is_refused(clickhouse_server: ClickHouseSettings) -> None:
    answer = ask(
        clickhouse_server,
        "select 1",
        send_progress_in_http_headers=1,
        http_headers_progress_interval_ms="often",
    )
    assert answer.headers["X-ClickHouse-Exception-Code"] == "27"


def test_a_streamed_result_says_what_is_known_when_its_headers_go(
    clickhouse_server: ClickHouseSettings,
) -> None:
    mark = uuid.uuid4().hex
    answer = ask(clickhouse_server, f"select number, '{mark}' from numbers(500000) settings max_threads = 1")
    summary = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert 0 < int(summary["read_rows"]) <= int(summary["total_rows_to_read"]) == 500_000
