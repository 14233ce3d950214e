"""ClickHouse of the local stack: the HTTP server of `stir_assets.local.clickhouse` as a process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from clickhouse_connect.driver.client import Client

from stir_assets.core.phone_key import store_phone_key
from stir_assets.errors import ConfigError
from stir_assets.local import probes
from stir_assets.local.ports import LOOPBACK
from stir_assets.local.service import Service
from stir_assets.settings import ClickHouseSettings


class ClickHouseService(Service):
    """Data survives restarts and `kill -9`; the database `stir` and the phone key exist whenever it is ready."""

    name = "clickhouse"
    stop_timeout = 30.0

    def __init__(self, settings: ClickHouseSettings, data: Path, environment: Mapping[str, str]) -> None:
        super().__init__(settings.port)
        self._settings = settings
        self._data = data
        self._environment = environment

    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "stir_assets.local.clickhouse",
            "--host",
            LOOPBACK,
            "--port",
            str(self.port),
            "--data-dir",
            str(self._data),
            "--user",
            self._settings.user,
        ]

    def environment(self) -> Mapping[str, str]:
        # s3() takes its credentials from here; without the last two the AWS SDK inside the engine
        # asks the cloud's metadata service first and waits for an answer that never comes.
        return {
            **self._environment,
            "AWS_REGION": self._environment["AWS_DEFAULT_REGION"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def probe(self) -> None:
        self._client.query("SELECT 1")

    def provision(self) -> None:
        database = self._settings.database
        self._client.command("CREATE DATABASE IF NOT EXISTS {name:Identifier}", {"name": database})
        # Data may be older than the salt (a lost configuration file): runs then say what to do.
        with contextlib.suppress(ConfigError):
            store_phone_key(self._client, database, self._environment["STIR_PII_SALT"])

    @cached_property
    def _client(self) -> Client:
        # Made once: making one reads all of the server's settings, which each probe of an idle stack did.
        return probes.clickhouse_client(self._settings)
