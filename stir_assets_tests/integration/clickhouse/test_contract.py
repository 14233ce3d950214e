"""What the HTTP interface promises, asked by the official client and by plain HTTP."""

from __future__ import annotations

import gzip
import json
import threading
import time
import uuid
from collections.abc import Callable

import brotli
import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.s3 import S3
from stir_assets_tests.integration.clickhouse.raw import ask


def connect(server: ClickHouseSettings, **more: object) -> Client:
    return clickhouse_connect.get_client(
        host=server.host, port=server.port, username=server.user, password=server.password, **more
    )  # pyright: ignore[reportArgumentType]


def test_ping_and_the_root_answer_without_a_query(clickhouse_server: ClickHouseSettings) -> None:
    ping = ask(clickhouse_server, method="GET", path="/ping", auth=False)
    assert (ping.status, ping.data) == (200, b"Ok.\n")
    assert ask(clickhouse_server, method="GET", auth=False).data == b"Ok.\n"


def test_a_query_goes_in_the_url_the_body_or_both(clickhouse_server: ClickHouseSettings) -> None:
    assert ask(clickhouse_server, "select 1").data == b"1\n"
    assert ask(clickhouse_server, "select 1", method="GET").data == b"1\n"
    assert ask(clickhouse_server, body="select 2").data == b"2\n"
    assert ask(clickhouse_server, "select ", body="3").data == b"3\n"


def test_the_headers_that_clients_rely_on(clickhouse_server: ClickHouseSettings) -> None:
    answer = ask(
        clickhouse_server,
        "select number from numbers(5) format JSONEachRow",
        query_id=(sent := str(uuid.uuid4())),
    )
    assert answer.headers["X-ClickHouse-Query-Id"] == sent
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["X-ClickHouse-Timezone"] == "UTC"
    assert int(json.loads(answer.headers["X-ClickHouse-Summary"])["read_rows"]) == 5


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"}, (401, 403), "516"),
        ({"X-ClickHouse-User": "nobody", "X-ClickHouse-Key": "wrong"}, (401, 403), "516"),
        ({"Authorization": "Basic ZGVmYXVsdDp3cm9uZw=="}, (401, 403), "516"),
        ({}, (401, 403), "516"),
    ],
)
def test_a_wrong_user_or_password_is_refused_with_the_right_code(
    clickhouse_server: ClickHouseSettings, headers: dict[str, str], status: tuple[int, ...], code: str
) -> None:
    answer = ask(clickhouse_server, "select 1", headers=headers, auth=False)
    assert answer.status in status
    assert answer.headers["X-ClickHouse-Exception-Code"] in (code, "194")
    assert clickhouse_server.password.encode() not in answer.data


def test_errors_come_in_the_engines_words_with_code_and_status(clickhouse_server: ClickHouseSettings) -> None:
    unknown = ask(clickhouse_server, "select * from nowhere.nothing")
    assert unknown.status == 404
    assert unknown.headers["X-ClickHouse-Exception-Code"] in ("60", "81")
    assert unknown.data.startswith(b"Code: ")
    syntax = ask(clickhouse_server, "selec 1")
    assert (syntax.status, syntax.headers["X-ClickHouse-Exception-Code"]) == (400, "62")
    alter = ask(clickhouse_server, "alter table t update a = 1 where ")
    assert (alter.status, b"/*" in alter.data) == (400, False), "nothing of ours in the client's statement"


def test_an_unknown_setting_is_refused_and_a_known_one_holds_for_one_request(
    clickhouse_server: ClickHouseSettings,
) -> None:
    refused = ask(clickhouse_server, "select 1", no_such_setting=1)
    assert refused.headers["X-ClickHouse-Exception-Code"] == "115"
    assert (
        ask(clickhouse_server, "select getSetting('max_block_size')", max_block_size=1234).data == b"1234\n"
    )
    for _ in range(20):
        assert ask(clickhouse_server, "select getSetting('max_block_size')").data != b"1234\n"


def test_server_side_parameters_are_bound_by_type(clickhouse_server: ClickHouseSettings) -> None:
    answer = ask(
        clickhouse_server,
        "select {a:Int32} + 1, {s:String}, {l:Array(String)}",
        param_a=41,
        param_s="it's \\t here",
        param_l="['x','y']",
    )
    assert answer.data == b"42\tit\\'s \\t here\t['x','y']\n"


def test_the_default_database_and_format_come_from_the_url(
    clickhouse_server: ClickHouseSettings, clickhouse: Client
) -> None:
    clickhouse.command("create table t (a Int8) engine = MergeTree order by a")
    clickhouse.command("insert into t values (7)")
    answer = ask(
        clickhouse_server, "select * from t", database=clickhouse.database, default_format="JSONEachRow"
    )
    assert answer.data == b'{"a":7}\n'


def test_a_session_keeps_temporary_tables_and_settings_to_itself(
    clickhouse_server: ClickHouseSettings,
) -> None:
    one, two = connect(clickhouse_server, session_id="one"), connect(clickhouse_server, session_id="two")
    one.command("create temporary table mine (a Int32)")
    one.insert("mine", [[1], [2]], column_names=["a"])
    one.command("set max_block_size = 777")
    assert one.query("select count(), getSetting('max_block_size') from mine").result_rows == [(2, 777)]
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        two.query("select * from mine")
    assert two.query("select getSetting('max_block_size')").result_rows != [(777,)]


def test_a_session_expires_and_session_check_says_so(clickhouse_server: ClickHouseSettings) -> None:
    name = f"short-{uuid.uuid4()}"
    ask(clickhouse_server, "create temporary table gone (a Int8)", session_id=name, session_timeout=1)
    assert (
        ask(clickhouse_server, "select count() from gone", session_id=name, session_timeout=1).status == 200
    )
    time.sleep(3)
    late = ask(clickhouse_server, "select 1", session_id=name, session_check=1)
    assert late.headers["X-ClickHouse-Exception-Code"] == "372"


@pytest.mark.parametrize("rows", [1, 1_000_000])
def test_a_session_and_a_query_id_are_free_as_soon_as_the_answer_is_read(
    clickhouse_server: ClickHouseSettings, rows: int
) -> None:
    """Tables that came with a query are dropped after it; a client's next connection must not come before that."""
    name = f"busy-{uuid.uuid4()}"
    tables = {f"t{number}": ("data", b"1\n") for number in range(100)}
    structures = {f"{table}_structure": "a Int8" for table in tables}
    for _ in range(3):
        body, kind = urllib3.encode_multipart_formdata(tables)
        answer = ask(
            clickhouse_server,
            f"select number from numbers({rows})",
            body=body,
            headers={"Content-Type": kind, "Connection": "close"},
            session_id=name,
            query_id=name,
            **structures,
        )
        assert answer.status == 200, answer.data[-300:]
        assert answer.data.count(b"\n") == rows


def test_a_session_refuses_a_second_query_at_the_same_time(clickhouse_server: ClickHouseSettings) -> None:
    name = f"locked-{uuid.uuid4()}"
    slow = threading.Thread(
        target=ask, args=(clickhouse_server, "select sleep(2)"), kwargs={"session_id": name}
    )
    slow.start()
    time.sleep(0.7)
    second = ask(clickhouse_server, "select 1", session_id=name)
    slow.join()
    assert second.headers["X-ClickHouse-Exception-Code"] == "373"


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
    "br": brotli.compress,
}


@pytest.mark.parametrize("encoding", sorted(COMPRESSORS))
def test_compressed_requests_are_read(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, encoding: str
) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    rows = "".join(f"{number}\n" for number in range(100_000)).encode()
    answer = ask(
        clickhouse_server,
        "insert into t format TSV",
        body=COMPRESSORS[encoding](rows),
        headers={"Content-Encoding": encoding},
        database=clickhouse.database,
    )
    assert answer.status == 200, answer.data
    assert clickhouse.query("select count(), sum(a) from t").result_rows == [(100_000, sum(range(100_000)))]


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "br", "deflate", None])
def test_the_client_reads_compressed_answers(
    clickhouse_server: ClickHouseSettings, encoding: str | None
) -> None:
    client = connect(clickhouse_server, compress=encoding or False)
    assert client.query("select sum(number) from numbers(1000000)").result_rows == [(499999500000,)]
    assert len(client.query("select number from numbers(300000)").result_rows) == 300_000


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.999])
def test_a_truncated_gzip_is_an_error_and_inserts_nothing(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, kept: float
) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    whole = gzip.compress("".join(f"{number}\n" for number in range(400_000)).encode())
    answer = ask(
        clickhouse_server,
        "insert into t format TSV",
        body=whole[: int(len(whole) * kept)],
        headers={"Content-Encoding": "gzip"},
        database=clickhouse.database,
    )
    assert answer.status >= 400
    assert clickhouse.query("select count() from t").result_rows == [(0,)]


@pytest.mark.parametrize("rows", [100_000, 1_000_000])
def test_a_native_insert_of_many_blocks_loses_no_row(clickhouse: Client, rows: int) -> None:
    clickhouse.command("create table t (a Int64, s String) engine = MergeTree order by a")
    numbers = list(range(rows))
    summary = clickhouse.insert("t", [numbers, ["x"] * rows], column_names=["a", "s"], column_oriented=True)
    assert summary.written_rows == rows
    assert clickhouse.query("select count(), sum(a) from t").result_rows == [(rows, sum(numbers))]


def _csv(rows: int) -> bytes:
    return "".join(f'{number},"a ""b"", c"\n' for number in range(rows)).encode()


def _json(rows: int) -> bytes:
    return "".join(f'{{"a":{number},"s":"x"}}\n' for number in range(rows)).encode()


def _values(rows: int) -> bytes:
    return ",".join(f"({number},'x')" for number in range(rows)).encode()


def _arrow(rows: int) -> pa.Table:
    return pa.table({"a": pa.array(range(rows), pa.int64()), "s": pa.array(["x"] * rows)})


def _arrow_file(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _arrow(1).schema) as writer:
        writer.write_table(_arrow(rows), max_chunksize=10_000)
    return sink.getvalue().to_pybytes()


def _parquet(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(_arrow(rows), sink, row_group_size=20_000)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("CSV", _csv),
        ("JSONEachRow", _json),
        ("Values", _values),
        ("Arrow", _arrow_file),
        ("Parquet", _parquet),
    ],
)
def test_inserts_in_every_format_arrive_whole(
    clickhouse_server: ClickHouseSettings, clickhouse: Client, form: str, body: Callable[[int], bytes]
) -> None:
    clickhouse.command("create table t (a Int64, s String) engine = MergeTree order by a")
    answer = ask(
        clickhouse_server, f"insert into t format {form}", body=body(150_000), database=clickhouse.database
    )
    assert answer.status == 200, answer.data[:500]
    assert int(json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"]) == 150_000
    assert clickhouse.query("select count(), uniqExact(a) from t").result_rows == [(150_000, 150_000)]


def test_a_bad_row_late_in_an_insert_is_an_error(
    clickhouse_server: ClickHouseSettings, clickhouse: Client
) -> None:
    clickhouse.command("create table t (a Int64) engine = MergeTree order by a")
    rows = "".join(f"{number}\n" for number in range(10_000)) + "not a number\n"
    answer = ask(clickhouse_server, "insert into t format TSV", body=rows, database=clickhouse.database)
    assert answer.status == 400
    assert b"CANNOT_PARSE" in answer.data


def test_insert_select_tells_the_rows_it_wrote(
    clickhouse_server: ClickHouseSettings, clickhouse: Client
) -> None:
    clickhouse.command("create table t (a UInt64) engine = MergeTree order by a")
    answer = ask(
        clickhouse_server, "insert into t select number from numbers(123456)", database=clickhouse.database
    )
    assert int(json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"]) == 123_456


def test_clickhouse_writes_to_s3_with_the_servers_own_credentials(clickhouse: Client, s3: S3) -> None:
    url = f"{s3.settings.endpoint}/{s3.bucket}/{s3.prefix}/part.tsv.zst"
    clickhouse.command(f"insert into function s3('{url}', 'TabSeparated') select number from numbers(100000)")
    assert clickhouse.query(f"select count() from s3('{url}', 'TabSeparated')").result_rows == [(100_000,)]


def test_external_data_joins_a_query(clickhouse: Client) -> None:
    from clickhouse_connect.driver.external import ExternalData

    data = ExternalData(file_name="ids", fmt="TSV", structure=["id UInt64"], data=b"1\n3\n5\n")
    found = clickhouse.query(
        "select number from numbers(10) where number in ids order by number", external_data=data
    )
    assert [row[0] for row in found.result_rows] == [1, 3, 5]


def test_a_large_result_streams_and_arrives_whole(clickhouse: Client) -> None:
    total = 0
    with clickhouse.query_row_block_stream("select number from numbers(3000000)") as stream:
        for block in stream:
            total += sum(row[0] for row in block)
    assert total == sum(range(3_000_000))


def test_an_error_in_the_middle_of_a_result_reaches_the_client(clickhouse: Client) -> None:
    query = "select throwIf(number = 2500000, 'midway') from numbers(3000000) settings max_block_size = 10000"
    with pytest.raises(ClickHouseError, match="midway"), clickhouse.query_row_block_stream(query) as stream:
        for _ in stream:
            pass


def test_many_requests_at_once_are_all_answered(clickhouse_server: ClickHouseSettings) -> None:
    answers: list[bytes] = []

    def one(number: int) -> None:
        answers.append(ask(clickhouse_server, f"select {number} + sum(number) from numbers(100000)").data)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(f"{number + 4999950000}\n".encode() for number in range(32))


def test_kill_query_stops_a_running_query(clickhouse_server: ClickHouseSettings) -> None:
    query_id, outcome = str(uuid.uuid4()), []

    def long() -> None:
        outcome.append(
            ask(
                clickhouse_server,
                "select count() from numbers(100000000000) where sipHash64(number) = 1",
                query_id=query_id,
            )
        )

    thread = threading.Thread(target=long)
    started = time.monotonic()
    thread.start()
    time.sleep(1.0)
    ask(clickhouse_server, f"kill query where query_id = '{query_id}'")
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert time.monotonic() - started < 30
    assert outcome[0].headers["X-ClickHouse-Exception-Code"] == "394"


async def test_the_async_client_works_alike(clickhouse_server: ClickHouseSettings) -> None:
    client = await clickhouse_connect.get_async_client(
        host=clickhouse_server.host,
        port=clickhouse_server.port,
        username=clickhouse_server.user,
        password=clickhouse_server.password,
    )
    result = await client.query("select number from numbers(100000)")
    assert len(result.result_rows) == 100_000
    with pytest.raises(DatabaseError):
        await client.query("select nonsense")
    await client.close()
