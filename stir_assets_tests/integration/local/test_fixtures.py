"""The engines that every other test relies on answer, and are as strict as production's."""

from __future__ import annotations

import boto3
import psycopg
import pytest
from botocore.exceptions import ClientError
from clickhouse_connect.driver.client import Client

from stir_assets.settings import Settings
from stir_assets_tests.fixtures.s3 import S3


def test_clickhouse_fixture_has_a_database_of_its_own(clickhouse: Client) -> None:
    clickhouse.command("CREATE TABLE t (n UInt32) ENGINE = MergeTree ORDER BY n")
    clickhouse.insert("t", [[1], [2]], column_names=["n"])
    assert clickhouse.query("SELECT sum(n), currentDatabase() FROM t").result_rows == [
        (3, clickhouse.database)
    ]


def test_postgres_is_version_18_durable_and_reached_without_superuser_rights(
    postgres: psycopg.Connection,
) -> None:
    row = postgres.execute(
        "SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'), "
        "current_setting('synchronous_commit'), current_setting('full_page_writes'), "
        "current_setting('wal_level'), rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (18, "on", "on", "on", "replica", False)


def test_postgres_sorts_by_code_point_and_knows_unicode(postgres: psycopg.Connection) -> None:
    row = postgres.execute(
        "SELECT upper('straße é'), (SELECT array_agg(v ORDER BY v) FROM unnest(ARRAY['b','B','é','a']) v)"
    ).fetchone()
    assert row == ("STRAßE É", ["B", "a", "b", "é"])


def test_s3_takes_multipart_uploads_and_listing(s3: S3) -> None:
    key = f"{s3.prefix}/big"
    upload = s3.client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
    parts = []
    for number in (1, 2):
        body = bytes([number]) * (5 * 2**20)
        part = s3.client.upload_part(Bucket=s3.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.client.complete_multipart_upload(
        Bucket=s3.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert s3.client.head_object(Bucket=s3.bucket, Key=key)["ContentLength"] == 10 * 2**20
    middle = s3.client.get_object(Bucket=s3.bucket, Key=key, Range=f"bytes={5 * 2**20 - 1}-{5 * 2**20}")
    assert middle["Body"].read() == b"\x01\x02"


def test_s3_refuses_a_foreign_access_key(s3: S3) -> None:
    stranger = boto3.client(
        "s3",
        endpoint_url=s3.settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id="SOMEBODY",
        aws_secret_access_key="else",
    )
    with pytest.raises(ClientError, match=r"InvalidAccessKeyId.*stir env"):
        stranger.list_buckets()


def test_clickhouse_writes_to_s3_with_credentials_from_its_environment(clickhouse: Client, s3: S3) -> None:
    address = f"{s3.settings.endpoint}/{s3.bucket}/{s3.prefix}/numbers.csv"
    clickhouse.command(
        f"INSERT INTO FUNCTION s3('{address}', 'CSV', 'n UInt64') SELECT number FROM numbers(1000)"
    )
    body = s3.client.get_object(Bucket=s3.bucket, Key=f"{s3.prefix}/numbers.csv")["Body"].read()
    assert body.decode().splitlines() == [str(n) for n in range(1000)]
    assert clickhouse.query(f"SELECT sum(n) FROM s3('{address}', 'CSV', 'n UInt64')").result_rows == [
        (499500,)
    ]


def test_stack_env_is_complete_and_isolated(stack_env: dict[str, str], postgres_dsn: str, s3: S3) -> None:
    settings = Settings.from_env()
    assert settings.postgres_dsn == postgres_dsn
    assert settings.s3.prefix == s3.prefix
    assert settings.clickhouse.database.startswith("test_")
