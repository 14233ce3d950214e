"""Real questions to the engines, local or not: each returns what answered, or raises."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import Any

import clickhouse_connect
import psycopg
from clickhouse_connect.driver.client import Client

from stir_assets.errors import PermanentError, TransientError
from stir_assets.settings import ClickHouseSettings, S3Settings

TIMEOUT_SECONDS = 5


def clickhouse_client(settings: ClickHouseSettings) -> Client:
    """A client for probes: short timeouts, no retries, no session."""
    return clickhouse_connect.get_client(
        host=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password,
        secure=settings.secure,
        connect_timeout=TIMEOUT_SECONDS,
        send_receive_timeout=TIMEOUT_SECONDS,
        query_retries=0,
        autogenerate_session_id=False,
    )


def clickhouse(settings: ClickHouseSettings) -> str:
    """Version of the ClickHouse server, asked with the user and password of the settings."""
    with contextlib.closing(clickhouse_client(settings)) as client:
        client.query("SELECT 1")
        return f"ClickHouse {client.server_version}"


def postgres(dsn: str) -> str:
    """Version of the PostgreSQL server behind a libpq URI."""
    with psycopg.connect(dsn, connect_timeout=TIMEOUT_SECONDS, autocommit=True) as connection:
        row = connection.execute("SELECT current_setting('server_version')").fetchone()
    return f"PostgreSQL {row[0]}" if row else "PostgreSQL"


def s3_client(settings: S3Settings, **credentials: str) -> Any:
    """A client for probes: short timeouts, no retries. Credentials are the SDK's own unless given."""
    from botocore.config import Config

    from stir_assets.core import s3

    # Path style: `<bucket>.127.0.0.1` does not resolve.
    addressing = {"addressing_style": "path"} if settings.endpoint else {}
    return s3.s3_client(
        settings,
        config=Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},
            s3=addressing,  # pyright: ignore[reportArgumentType]
        ),
        **credentials,
    )


def s3(settings: S3Settings) -> str:
    """Checks that the bucket exists and may be used."""
    s3_client(settings).head_bucket(Bucket=settings.bucket)
    return f"bucket {settings.bucket}"


def code_server(host: str, port: int) -> str:
    """Asks the gRPC code server for its own health; raises while it is still importing the definitions."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"{host}:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(  # pyright: ignore[reportAttributeAccessIssue]  # made at run time
            health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=TIMEOUT_SECONDS
        )
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise TransientError("the code server is not serving yet")
    return "code server"


def code_location(address: str) -> str:
    """Asks the webserver whether the definitions loaded; raises with the import error if they did not."""
    query = (
        "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError "
        "{ __typename ... on PythonError { message causes { message } } } } } } }"
    )
    request = urllib.request.Request(  # noqa: S310  # an address of our own
        f"{address}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        entries = json.load(response)["data"]["workspaceOrError"]["locationEntries"]
    for entry in entries:
        outcome = entry["locationOrLoadError"] or {}
        if outcome.get("__typename") == "PythonError":
            # The outermost error only says that loading failed; the innermost says why.
            cause = [outcome, *outcome["causes"]][-1]["message"].strip()
            raise PermanentError(f"the definitions do not load: {cause}")
    return f"definitions loaded: {', '.join(entry['name'] for entry in entries)}"


def webserver(address: str) -> str:
    """Version of the Dagster webserver at `http://host:port`."""
    with urllib.request.urlopen(  # noqa: S310  # an address of our own
        f"{address}/server_info", timeout=TIMEOUT_SECONDS
    ) as response:
        info = json.load(response)
    return f"Dagster {info['dagster_webserver_version']}"
