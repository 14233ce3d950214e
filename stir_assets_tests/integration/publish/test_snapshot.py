"""All slices of an export are of one snapshot, whatever happens to the source meanwhile; memory does not grow with it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stir_assets.publish.publication import Progress
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("select * from {}.source", "clone"),
        ("select * from {}.source where id >= 0", "clone"),
        ("select id, version, name from {}.source", "copy"),
    ],
)
def test_rows_inserted_merged_and_deleted_while_slices_are_loaded_are_in_none_of_them(
    desk: Desk, clickhouse_server: ClickHouseSettings, source: str, kind: str
) -> None:
    desk.fill(1, 20_000)
    messages: list[str] = []

    def disturb(progress: Progress) -> None:
        messages.append(progress.message)
        if progress.phase == "load":
            desk.client.command("insert into source select number, 2, 'late' from numbers(20000, 5000)")
            desk.client.command("alter table source delete where id < 100", settings={"mutations_sync": 2})
            desk.client.command("optimize table source final")

    publisher = new_publisher(clickhouse_server, desk.dsn, desk.s3, slice_bytes=40_000)
    publication = publisher.publish(
        TARGET, source.format(desk.client.database), run_id="a", on_progress=disturb
    )
    slices = next(message for message in messages if "slices" in message)
    assert int(slices.split(" in ")[1].split()[0]) > 5
    assert publication.snapshot == kind
    assert desk.live() == (20_000, 1, 1)
    assert desk.client.query("select count(), max(version) from source").result_rows[0][1] == 2


PROGRAM = """
import os, resource
import boto3
from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.publish import Publisher, S3Staging
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import TARGET
get = os.environ.__getitem__
server = ClickHouseSettings(get("CH_HOST"), int(get("CH_PORT")), get("CH_USER"), get("CH_PASSWORD"))
s3 = S3Staging(get("BUCKET"), get("PREFIX"), lambda: boto3.client("s3", endpoint_url=get("S3")), endpoint=get("S3"))
publisher = Publisher(lambda: clickhouse_client(server), get("DSN"), s3)
done = publisher.publish(TARGET, "select * from " + get("SOURCE"))
print(done.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def client_memory(desk: Desk, server: ClickHouseSettings, rows: int) -> int:
    """Peak resident memory, in MB, of a process that publishes so many rows of about 270 bytes."""
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(number) as id, "
        f"toInt32(1) as version, hex(randomPrintableASCII(128)) as name from numbers({rows})"
    )
    environment = os.environ | {
        "CH_HOST": server.host,
        "CH_PORT": str(server.port),
        "CH_USER": server.user,
        "CH_PASSWORD": server.password,
        "BUCKET": desk.s3.bucket,
        "PREFIX": desk.s3.prefix,
        "S3": desk.s3.settings.endpoint or "",
        "DSN": desk.dsn,
        "SOURCE": f"{desk.client.database}.source",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded, kilobytes = done.stdout.split()
    assert int(loaded) == rows
    return int(kilobytes) // 1024


@pytest.mark.slow
def test_the_clients_memory_does_not_grow_with_the_table(
    desk: Desk, clickhouse_server: ClickHouseSettings
) -> None:
    small, large = int(os.environ.get("STIR_TEST_ROWS", "150000")), 4
    once = client_memory(desk, clickhouse_server, small)
    desk.run("drop table public.board")
    more = client_memory(desk, clickhouse_server, large * small)
    print(f"{small} rows: {once} MB, {large * small} rows: {more} MB")
    assert more < once + 30
