"""The little that a publication asks of ClickHouse, on any client that has `query` and `command`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from stir_assets.errors import StirError
from stir_assets.publish.errors import ClickHouseUnavailable, ExportFailed

Settings = Mapping[str, str | int]


class ClickHouseClient(Protocol):
    """What is used of `clickhouse_connect`'s Client."""

    def query(self, query: str, *, settings: dict[str, Any] | None = None) -> Any: ...

    def command(self, cmd: str, *, settings: dict[str, Any] | None = None) -> Any: ...

    def close(self) -> Any: ...


ClientFactory = Callable[[], ClickHouseClient]

# Timeouts, memory, too many queries or parts, sockets, keeper, S3: gone when tried again.
_TRANSIENT_CODES = frozenset(
    {
        3,
        32,
        95,
        159,
        160,
        164,
        202,
        203,
        209,
        210,
        225,
        236,
        241,
        242,
        243,
        252,
        279,
        285,
        319,
        394,
        425,
        499,
        999,
    }
)
_CODE = re.compile(r"[Cc]ode: (\d+)")


class ClickHouse:
    """A client of one publication; errors come out in our two families, with the server's own words."""

    def __init__(self, factory: ClientFactory) -> None:
        self.factory = factory
        try:
            self.client = factory()
        except Exception as error:
            raise translate(error, "connecting to ClickHouse") from error

    def rows(self, sql: str, what: str, settings: Settings | None = None) -> Sequence[Sequence[Any]]:
        """Result rows of a query; `what` names the step in errors."""
        try:
            return self.client.query(sql, settings=dict(settings or {})).result_rows
        except Exception as error:
            raise translate(error, what) from error

    def run(self, sql: str, what: str, settings: Settings | None = None) -> Any:
        """A statement without rows; returns what the client returns (for the summary)."""
        try:
            return self.client.command(sql, settings=dict(settings or {}))
        except Exception as error:
            raise translate(error, what) from error

    def kill(self, query_ids: Sequence[str]) -> None:
        """End queries of this publication, on a connection of its own. Never raises: it runs during clean-up."""
        if not query_ids:
            return
        names = ", ".join("'" + name.replace("'", "") + "'" for name in query_ids)
        try:
            client = self.factory()
            try:
                client.command(f"KILL QUERY WHERE query_id IN ({names}) ASYNC")
            finally:
                client.close()
        except Exception:  # noqa: S110 - the query ends by itself; the original error matters more
            pass

    def close(self) -> None:
        """Give the connection back. Never raises."""
        with contextlib.suppress(Exception):
            self.client.close()


def identifier(name: str) -> str:
    """A quoted ClickHouse name."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def string(text: str) -> str:
    """A quoted ClickHouse string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def translate(error: Exception, what: str) -> StirError:
    """ClickHouse's error as ours: transient when the code, or the lack of a server behind it, says so."""
    if isinstance(error, StirError):
        return error
    text = str(error).split(" (for url ")[0].strip()
    match = _CODE.search(text)
    if match is None or int(match[1]) in _TRANSIENT_CODES:
        if match is None and isinstance(error, (TypeError, AttributeError, KeyError, ValueError)):
            return ExportFailed(f"{what}: {type(error).__name__}: {text}")
        return ClickHouseUnavailable(f"{what}: {text[:2000]}; ClickHouse was away or too busy, try again")
    return ExportFailed(f"{what}: {text[:2000]}")
