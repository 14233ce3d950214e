"""Plain HTTP to the server, for what a client library hides."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3

from stir_assets.settings import ClickHouseSettings

pool = urllib3.PoolManager(timeout=60, retries=False)


def ask(
    server: ClickHouseSettings,
    query: str | None = None,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    auth: bool = True,
    method: str = "POST",
    path: str = "/",
    **parameters: Any,
) -> urllib3.BaseHTTPResponse:
    """One request; `query` goes into the URL, parameters beside it."""
    fields = {name: str(value) for name, value in parameters.items()}
    if query is not None:
        fields["query"] = query
    url = f"http://{server.host}:{server.port}{path}?{urlencode(fields)}"
    sent = dict(headers or {})
    if auth:
        sent |= {"X-ClickHouse-User": server.user, "X-ClickHouse-Key": server.password}
    return pool.request(method, url, body=body, headers=sent, decode_content=False)


def send(server: ClickHouseSettings, sql: str, **parameters: object) -> socket.socket:
    """A request on a socket of its own, whose answer nobody has read yet."""
    client = socket.create_connection((server.host, server.port), timeout=60)
    head = [
        f"POST /?{urlencode(parameters)} HTTP/1.1",
        "Host: x",
        f"X-ClickHouse-User: {server.user}",
        f"X-ClickHouse-Key: {server.password}",
        f"Content-Length: {len(sql.encode())}",
    ]
    client.sendall(("\r\n".join(head) + "\r\n\r\n" + sql).encode())
    return client


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
