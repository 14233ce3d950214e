"""ClickHouse over HTTP, for assets that query it directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from clickhouse_connect.driver.client import Client

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.settings import ClickHouseSettings


class ClickHouseResource(dg.ConfigurableResource):
    """Where ClickHouse is; the password stays in the environment and is read when a client is made."""

    host: str
    port: int
    user: str
    password: str
    secure: bool = False
    database: str = "stir"
    cluster: str = ""

    def new_client(self) -> Client:
        """A client; whoever asks closes it. Raises `TransientError` when the server does not answer."""
        return clickhouse_client(self.settings())

    def settings(self) -> ClickHouseSettings:
        """The same as plain settings."""
        return ClickHouseSettings(
            self.host, self.port, self.user, self.password, self.secure, self.database, self.cluster
        )

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client, closed afterwards."""
        client = self.new_client()
        try:
            yield client
        finally:
            client.close()
