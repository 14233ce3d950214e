"""Plain HTTP to the server, for what a client library hides."""

from __future__ import annotations

from collections.abc import Mapping
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
