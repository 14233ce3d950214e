"""PostgreSQL, for assets and checks that read the serving tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg

from stir_assets.errors import TransientError


class PostgresResource(dg.ConfigurableResource):
    """Where the application's tables are. The DSN holds a password and comes from the environment."""

    dsn: str

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection with a transaction of its own. Raises `TransientError` when the server does not answer."""
        try:
            connection = psycopg.connect(self.dsn, application_name="stir")
        except psycopg.OperationalError as error:
            raise TransientError(
                f"PostgreSQL does not answer: {error}. Is the stack up (`stir status`)? Is STIR_POSTGRES_DSN right?"
            ) from error
        with connection:
            yield connection
