"""One request as the interface reads it: credentials, methods, forms, ids, roles."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable
from contextlib import closing

import pytest
import urllib3
from clickhouse_connect.driver.client import Client

from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.clickhouse.raw import ask, pool, send, wait_until


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def code(answer: urllib3.BaseHTTPResponse) -> str | None:
    return answer.headers.get("X-ClickHouse-Exception-Code")


Way = Callable[[ClickHouseSettings], tuple[dict[str, str], dict[str, str]]]
WAYS: dict[str, Way] = {
    "basic": lambda server: (basic(server.user, server.password), {}),
    "headers": lambda server: ({"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password}, {}),
    "url": lambda server: ({}, {"user": server.user, "password": server.password}),
}


@pytest.mark.parametrize("way", WAYS)
def test_credentials_come_in_three_ways(clickhouse_server: ClickHouseSettings, way: str) -> None:
    headers, parameters = WAYS[way](clickhouse_server)
    assert ask(clickhouse_server, "select 1", auth=False, headers=headers, **parameters).data == b"1\n"


@pytest.mark.parametrize(
    ("headers", "status", "expected"),
    [
        ({}, 401, "194"),
        (basic("default", "wrong"), 403, "516"),
        (basic("nobody", "wrong"), 403, "516"),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": "wrong"}, 403, "516"),
        ({"Authorization": "Bearer token"}, 403, "516"),
        ({"Authorization": "Basic ???"}, 403, "516"),
        (basic("default", "x") | {"X-ClickHouse-User": "default"}, 403, "516"),
    ],
)
def test_wrong_credentials_get_their_code_and_status(
    clickhouse_server: ClickHouseSettings, headers: dict[str, str], status: int, expected: str
) -> None:
    answer = ask(clickhouse_server, "select 1", auth=False, headers=headers)
    assert (answer.status, code(answer)) == (status, expected)
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)


def test_get_reads_only(clickhouse_server: ClickHouseSettings, clickhouse: Client) -> None:
    clickhouse.command("create table t (a Int8) engine = MergeTree order by a")
    for sql in ("insert into t values (1)", "insert into t select 1", "drop table t"):
        answer = ask(clickhouse_server, sql, method="GET", database=clickhouse.database)
        assert code(answer) == "164", sql
    assert clickhouse.command("select count() from t") == 0
    asked = ask(clickhouse_server, "insert into t values (1)", readonly=1, database=clickhouse.database)
    assert code(asked) == "164"


def test_head_and_unknown_methods_and_paths(clickhouse_server: ClickHouseSettings) -> None:
    assert ask(clickhouse_server, method="HEAD", path="/ping", auth=False).status == 200
    assert ask(clickhouse_server, "select 1", method="PUT").status == 501
    assert ask(clickhouse_server, "select 1", path="/nothing").status == 404


def test_several_statements_in_one_request_are_refused(clickhouse_server: ClickHouseSettings) -> None:
    assert code(ask(clickhouse_server, body="select 1; select 2")) == "62"
    assert ask(clickhouse_server, body="select ';'; -- ; select 2").data == b";\n"


def test_a_form_carries_query_parameters_and_external_tables(clickhouse_server: ClickHouseSettings) -> None:
    fields = {
        "query": "select {x:Int32} + sum(a), any(b) from sent join other on sent.a = other._1",
        "param_x": "1",
        "sent_structure": "a Int32, b String",
        "sent_format": "CSV",
        "other_types": "Int32, Tuple(Int8, Int8)",
        "sent": ("sent", b"2,two\n3,three\n5,five\n"),
        "other": ("other", b"3\t(1,2)\n4\t(1,2)\n"),
    }
    answer = pool.request(
        "POST",
        f"http://{clickhouse_server.host}:{clickhouse_server.port}/",
        fields=fields,
        headers=basic(clickhouse_server.user, clickhouse_server.password),
    )
    assert answer.data == b"4\tthree\n"


def test_a_session_ends_when_it_is_closed(clickhouse_server: ClickHouseSettings) -> None:
    name = str(uuid.uuid4())
    ask(clickhouse_server, "create temporary table mine (a Int8)", session_id=name)
    last = ask(clickhouse_server, "select count() from mine", session_id=name, close_session=1)
    assert last.data == b"0\n"
    assert code(ask(clickhouse_server, "select 1", session_id=name, session_check=1)) == "372"
    assert code(ask(clickhouse_server, "select 1", session_id=name, session_timeout=999_999)) == "374"


def test_settings_of_a_request_end_with_it_also_in_a_session(clickhouse_server: ClickHouseSettings) -> None:
    name, value = str(uuid.uuid4()), "select getSetting('max_block_size')"
    ask(clickhouse_server, "set max_block_size = 111", session_id=name)
    assert ask(clickhouse_server, value, session_id=name, max_block_size=222).data == b"222\n"
    assert ask(clickhouse_server, value, session_id=name).data == b"111\n"


def test_an_unknown_role_is_refused(clickhouse_server: ClickHouseSettings) -> None:
    assert code(ask(clickhouse_server, "select 1", role="nobody has it")) == "511"


def test_a_query_is_killed_by_its_id_given_as_a_parameter(
    clickhouse_server: ClickHouseSettings, clickhouse: Client
) -> None:
    query_id, outcome = str(uuid.uuid4()), []
    endless = "select count() from numbers(100000000000) where sipHash64(number) = 1"
    thread = threading.Thread(
        target=lambda: outcome.append(ask(clickhouse_server, endless, query_id=query_id))
    )
    thread.start()
    for _ in range(200):
        clickhouse.command("kill query where query_id = {id:String} sync", parameters={"id": query_id})
        thread.join(timeout=0.2)
        if not thread.is_alive():
            break
    assert code(outcome[0]) == "394"


def test_a_value_that_happens_to_be_a_query_id_stays_what_it_is(
    clickhouse_server: ClickHouseSettings,
) -> None:
    ask(clickhouse_server, "select 1", query_id="7")
    answer = ask(clickhouse_server, "select {x:String}, '7'", param_x="7", query_id="8")
    assert answer.data == b"7\t7\n"


def test_a_query_id_in_use_is_refused(clickhouse_server: ClickHouseSettings, clickhouse: Client) -> None:
    query_id = str(uuid.uuid4())
    endless = f"select count() from numbers(100000000000) where sipHash64(number) = 1 and '{query_id}' != ''"
    running = f"select count() from system.processes where query like '%{query_id}%' and query not like '%processes%'"
    with closing(send(clickhouse_server, endless, query_id=query_id)):
        wait_until(lambda: clickhouse.command(running) == 1, "the query runs")
        assert code(ask(clickhouse_server, "select 1", query_id=query_id)) == "216"
