"""Bodies and results larger than any buffer, clients that break off, errors after the headers have gone."""

from __future__ import annotations

import io
import socket
import threading
import uuid
import zlib
from contextlib import closing

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import StreamFailureError
from clickhouse_driver.compression import get_compressor_cls
from clickhouse_driver.streams.compressed import CompressedBlockInputStream, CompressedBlockOutputStream

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.clickhouse.raw import ask, send, wait_until

SLOW_FAILURE = "select sleepEachRow(0.01), throwIf(number = 40, 'midway') from numbers(100)"


def read_all(client: socket.socket) -> bytes:
    parts = []
    while data := client.recv(65536):
        parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        # nobody reads: the engine waits for room in the pipe
        ("select '{mark}', number, repeat('x', 100) from numbers(1000000000)", {}),
        (
            "select '{mark}', number, repeat('x', 100) from numbers(1000000000) format Native",
            {"wait_end_of_query": 0},
        ),
        # no result yet
        ("select count() from numbers(100000000000) where sipHash64(number) = 1 and '{mark}' != ''", {}),
        # no result at all
        (
            "insert into t select sipHash64(number) as a from numbers(10000000000) where a = 1 and '{mark}' != ''",
            {},
        ),
    ],
    ids=["result unread", "blocks unread", "aggregation", "insert select"],
)
def test_a_client_that_goes_away_ends_its_query(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, sql: str, parameters: dict[str, object]
) -> None:
    clickhouse.command("create table t (a UInt64) engine = MergeTree order by a")
    mark = uuid.uuid4().hex
    running = (
        f"select count() from system.processes where query like '%{mark}%' and query not like '%processes%'"
    )
    sql = sql.replace("{mark}", mark)
    with closing(send(clickhouse_server, sql, database=clickhouse.database, **parameters)):
        wait_until(lambda: clickhouse.command(running) == 1, "the query runs")
    wait_until(lambda: clickhouse.command(running) == 0, "the query has ended")


def test_an_error_after_the_headers_comes_under_the_announced_tag(
    clickhouse_server: ClickHouseSettings,
) -> None:
    with closing(
        send(clickhouse_server, SLOW_FAILURE, wait_end_of_query=0, max_block_size=1, default_format="TSV")
    ) as client:
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    tag = next(line for line in head.split(b"\r\n") if line.startswith(b"X-ClickHouse-Exception-Tag: "))[28:]
    assert len(tag) == 16
    assert tag.isalnum()
    block = body[body.index(b"__exception__\r\n" + tag) :]
    assert b"Code: 395. DB::Exception: midway" in block
    length = int(block[: block.rindex(b" " + tag)].rsplit(b"\n", 1)[1])
    message = block[block.index(b"Code: 395") :][:length]
    assert message.endswith(b"\n")
    # No last chunk: to a client that does not know the tag the transfer is broken.
    assert not body.endswith(b"0\r\n\r\n")


def test_the_client_raises_the_error_of_a_broken_off_stream(clickhouse: Client) -> None:
    settings = {"wait_end_of_query": 0, "max_block_size": 1}
    with (
        pytest.raises(StreamFailureError, match="midway"),
        clickhouse.query_rows_stream(SLOW_FAILURE, settings=settings) as stream,
    ):
        for _ in stream:
            pass
    assert clickhouse.command("select 1") == 1


def test_wait_end_of_query_turns_a_late_error_into_a_status(clickhouse_server: ClickHouseSettings) -> None:
    sql = "select number, throwIf(number = 1500000, 'late') from numbers(2000000)"
    answer = ask(clickhouse_server, sql, wait_end_of_query=1)
    assert answer.status == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "395"


def test_each_block_is_sent_when_the_client_asks_not_to_wait(clickhouse_server: ClickHouseSettings) -> None:
    endless = "select number, sleepEachRow(0.05) from system.numbers"  # fills no buffer within a test's life
    parameters = {"wait_end_of_query": 0, "max_block_size": 1, "default_format": "TSV"}
    with closing(send(clickhouse_server, endless, **parameters)) as client:
        seen = b""
        while b"2\t0\n" not in seen:
            data = client.recv(65536)
            assert data, seen
            seen += data


def arrow_stream() -> bytes:
    rows = 200_000
    unknown = pa.array([f"a column that the table does not have {number}" for number in range(rows)])
    table = pa.table({"more": unknown, "a": pa.array(range(rows), pa.uint64()), "s": pa.array(["x"] * rows)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table, max_chunksize=65_409)
    return sink.getvalue().to_pybytes()


def test_an_arrow_stream_arrives_whole_also_where_the_engine_skips_a_column(
    clickhouse_server: ClickHouseSettings, clickhouse: Client
) -> None:
    clickhouse.command("create table t (a UInt64, s String) engine = MergeTree order by a")
    answer = ask(
        clickhouse_server,
        "insert into t format ArrowStream",
        body=arrow_stream(),
        database=clickhouse.database,
    )
    assert answer.status == 200, answer.data
    assert clickhouse.query("select count(), uniqExact(a) from t").result_rows == [(200_000, 200_000)]


@pytest.mark.parametrize("wrapped", [True, False], ids=["zlib", "raw"])
def test_deflated_requests_are_read(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, wrapped: bool
) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    rows = "".join(f"{number}\n" for number in range(100_000)).encode()
    answer = ask(
        clickhouse_server,
        "insert into t format TSV",
        body=packer.compress(rows) + packer.flush(),
        headers={"Content-Encoding": "deflate"},
        database=clickhouse.database,
    )
    assert answer.status == 200, answer.data
    assert clickhouse.command("select count() from t") == 100_000


def blocks_of(data: bytes, size: int = 65_536) -> bytes:
    """`data` in ClickHouse's own compressed blocks, as another client writes them."""
    out = io.BytesIO()
    for at in range(0, len(data), size):
        stream = CompressedBlockOutputStream(get_compressor_cls("lz4"), size, out, None)
        stream.compressor.write(data[at : at + size])
        stream.finalize()
    return out.getvalue()


def data_of(blocks: bytes) -> bytes:
    """The reverse, again by that client, which checks the checksums."""
    source = io.BytesIO(blocks)
    stream = CompressedBlockInputStream(source, None)
    parts = []
    while source.tell() < len(blocks):
        parts.append(stream.read_block())
    return b"".join(parts)


@pytest.mark.parametrize(
    ("cut", "flipped"), [(0, False), (5, False), (0, True)], ids=["whole", "cut", "damaged"]
)
def test_clickhouses_own_block_compression_is_read(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, cut: int, flipped: bool
) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    rows = "".join(f"{number}\n" for number in range(50_000)).encode()
    body = bytearray(blocks_of(rows))
    body[100] ^= flipped
    whole = not cut and not flipped
    answer = ask(
        clickhouse_server,
        "insert into t format TSV",
        body=bytes(body[: len(body) - cut]),
        decompress=1,
        database=clickhouse.database,
    )
    assert (answer.status == 200) is whole, answer.data
    assert answer.headers.get("X-ClickHouse-Exception-Code") == ("40" if flipped else "271" if cut else None)
    assert clickhouse.command("select count() from t") == (50_000 if whole else 0)


@pytest.mark.parametrize("rows", [0, 3, 1_000_000])
def test_clickhouses_own_block_compression_is_written(
    clickhouse_server: ClickHouseSettings, rows: int
) -> None:
    sql = f"select number from numbers({rows})"
    answer = ask(clickhouse_server, sql, compress=1)
    assert data_of(answer.data) == ask(clickhouse_server, sql).data
    both = ask(
        clickhouse_server, sql, compress=1, enable_http_compression=1, headers={"Accept-Encoding": "gzip"}
    )
    assert data_of(zlib.decompress(both.data, 31) if rows else both.data) == data_of(answer.data)


def test_an_error_instead_of_a_compressed_result_can_be_read(clickhouse_server: ClickHouseSettings) -> None:
    assert ask(clickhouse_server, "select nothing", compress=1).data.startswith(b"Code: 47. DB::Exception")


def test_many_inserts_at_once_lose_nothing(clickhouse_server: ClickHouseSettings, clickhouse: Client) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    answers: list[int] = []

    def one(part: int) -> None:
        rows = "".join(f"{number}\n" for number in range(part * 20_000, (part + 1) * 20_000))
        sql = "insert into t format TSV"
        answers.append(ask(clickhouse_server, sql, body=rows, database=clickhouse.database).status)

    threads = [threading.Thread(target=one, args=(part,)) for part in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 24
    assert clickhouse.query("select count(), uniqExact(a) from t").result_rows == [(480_000, 480_000)]
