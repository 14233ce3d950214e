"""The one place that makes a ClickHouse client."""

from __future__ import annotations

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from stir_assets.errors import TransientError
from stir_assets.settings import ClickHouseSettings


def clickhouse_client(
    settings: ClickHouseSettings, *, session_id: str | None = None, silence_seconds: int = 300
) -> Client:
    """A client without a default session, so that threads may share it; close it when done.

    A statement may take any time: the client asks for progress in the headers and gives up only when the server has
    been silent for `silence_seconds`.
    `session_id` starts a session of its own (temporary tables, SETs). Raises `TransientError` naming the
    server when it does not answer.
    """
    try:
        return clickhouse_connect.get_client(
            host=settings.host,
            port=settings.port,
            username=settings.user,
            password=settings.password,
            secure=settings.secure,
            session_id=session_id,
            autogenerate_session_id=False,
            send_receive_timeout=silence_seconds,
            client_name="stir",
        )
    except ClickHouseError as error:
        raise TransientError(
            f"ClickHouse at {settings.host}:{settings.port} does not answer as user {settings.user!r}: {error}. "
            "Is the stack up (`stir status`)? Are STIR_CLICKHOUSE_HOST, _PORT, _USER and _PASSWORD right?"
        ) from error
