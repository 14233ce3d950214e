"""No password or key stands anywhere a person or a log collector can read it."""

from __future__ import annotations

import logging
import os
from urllib.parse import urlsplit

import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.publish.publication import Progress
from stir_assets_tests.integration.publish.conftest import Desk


def test_no_secret_in_queries_processes_activity_manifest_metadata_or_log_lines(
    desk: Desk, clickhouse: Client, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = {
        os.environ["AWS_SECRET_ACCESS_KEY"],
        os.environ["STIR_CLICKHOUSE_PASSWORD"],
        str(urlsplit(desk.dsn).password),
    }
    assert all(len(secret) > 5 for secret in secrets)
    seen: list[str] = []

    def look(progress: Progress) -> None:
        """In every phase: what the administrators of both servers can see of it."""
        seen.append(str(progress))
        seen.extend(str(row) for row in clickhouse.query("select * from system.processes").result_rows)
        seen.extend(str(row) for row in desk.rows("select * from pg_stat_activity"))

    with caplog.at_level(logging.DEBUG, logger="stir_assets"):
        desk.fill(1)
        publication = desk.publish(on_progress=look)
        desk.fill(2, 0)
        with pytest.raises(Exception, match="min_rows") as refused:
            desk.publish(on_progress=look)
    seen += [
        str(refused.value),
        repr(desk.publisher.config),
        repr(desk.publisher),
        str(publication.metadata()),
    ]
    seen += [record.getMessage() for record in caplog.records]
    for table in ("run", "target", "identity"):
        seen.extend(str(row) for row in desk.rows(f"select * from stir_publish.{table}"))
    seen.extend(str(row) for row in desk.rows("select * from stir.publication"))
    clickhouse.command("system flush logs")
    logged = clickhouse.query("select * from system.query_log").result_rows
    assert any("INSERT INTO FUNCTION s3(" in str(row) for row in logged)
    seen.extend(str(row) for row in logged)
    assert [text for text in seen for secret in secrets if secret in text] == []
