"""Fault 24: a full disk, a DBA's limits, missing privileges, a replica. Told in words; the live table stays."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg
import pytest

from stir_assets.publish.errors import PostgresRefused, PreflightError, Refused
from stir_assets.publish.target import Column, Enrichment, Guards
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.cluster import new_cluster, small_disks_can_be_made
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher

pytestmark = pytest.mark.slow

SIZES = Guards(warn_growth=1e9)


def test_24_a_disk_that_fills_during_the_copy_or_an_index_build(
    desk: Desk, clickhouse_server: ClickHouseSettings, pristine_cluster: Path, tmp_path: Path
) -> None:
    if not small_disks_can_be_made():
        pytest.skip("this kernel lets no test mount a small file system")
    disk = tmp_path / "disk"
    with new_cluster(pristine_cluster, tmp_path / "data", disk=disk, disk_megabytes=16) as cluster:
        cluster.start()
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            admin.execute(f"create tablespace small location '{disk}'")  # pyright: ignore[reportArgumentType]
            admin.execute("alter database postgres set default_tablespace = small")
        here = Desk(new_publisher(clickhouse_server, cluster.dsn, desk.s3), desk.client, cluster.dsn, desk.s3)
        here.fill(1)
        here.publish()
        # 16 MB hold neither half a million rows, nor the indexes beside two hundred thousand.
        for rows, phase in ((500_000, "load"), (200_000, "index")):
            here.fill(2, rows)
            phases: list[str] = []
            with pytest.raises(PostgresRefused, match="free disk space") as error:
                here.publish(
                    guards=SIZES, on_progress=lambda progress, phases=phases: phases.append(progress.phase)
                )
            assert "53100" in str(error.value)
            assert phases[-1] == phase
            assert here.live() == (1000, 1, 1)
            assert here.leftovers().versions == 0
        here.fill(3)
        here.publish()
        assert here.live() == (1000, 3, 3)


def test_24_a_server_that_reads_far_ahead_does_not_use_up_the_buffers_of_an_enrichment(desk: Desk) -> None:
    """PostgreSQL 18 fails with "no empty local buffer available" when a scan of a temporary table meets long values."""
    database = desk.dsn.rsplit("/", 1)[1]
    desk.run(f"alter database {database} set effective_io_concurrency = 1000")
    noise = "arrayStringConcat(arrayMap(n -> base64Encode(reinterpretAsFixedString(cityHash64(number, n))), range({})))"
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(number) as id, "
        f"toInt32(1) as version, {noise.format(600)} as name, {noise.format(125)} as within from numbers(6000)"
    )
    columns = (*TARGET.columns, Column("within", "text"), Column("size", "integer", enriched=True))
    measure = Enrichment("measure", "update {table} set size = length(name)")
    assert desk.publish(columns=columns, enrichments=(measure,)).rows == 6000
    assert desk.rows("select distinct size, length(name) from public.board") == [(7200, 7200)]


def test_24_limits_that_a_dba_has_set_for_everybody_do_not_reach_a_publication(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    database = desk.dsn.rsplit("/", 1)[1]
    limits = (
        "statement_timeout = '1ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'",
        "search_path = 'nowhere'", "default_transaction_read_only = on", "timezone = 'Asia/Kolkata'",
        "datestyle = 'German'", "default_transaction_isolation = 'serializable'",
    )  # fmt: skip
    desk.run(";".join(f"alter database {database} set {limit}" for limit in limits))
    desk.fill(2, 20_000)
    desk.publish(guards=SIZES)
    free = (
        "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off"
    )
    with psycopg.connect(desk.dsn, options=free, autocommit=True) as connection:
        assert connection.execute("select count(*), max(version) from public.board").fetchone() == (20_000, 2)
        desk.publisher.rollback("public.board")
        assert connection.execute("select count(*), max(version) from public.board").fetchone() == (1000, 1)
        connection.execute(f"alter database {database} reset all")  # pyright: ignore[reportArgumentType]


def test_24_a_role_that_may_not_create_is_told_so_and_its_password_is_not(
    desk: Desk, clickhouse_server: ClickHouseSettings
) -> None:
    desk.fill(1)
    desk.publish()
    role, password = f"poor_{uuid.uuid4().hex[:8]}", "secret-of-the-test"
    desk.run(f"create role {role} login password '{password}'")
    info = psycopg.conninfo.conninfo_to_dict(desk.dsn) | {"user": role, "password": password}
    dsn = psycopg.conninfo.make_conninfo(**info)  # pyright: ignore[reportArgumentType]
    poor = new_publisher(clickhouse_server, dsn, desk.s3)
    with pytest.raises((PostgresRefused, Refused)) as error:
        poor.publish(TARGET, f"select * from {desk.client.database}.source", run_id="poor")
    assert password not in str(error.value)
    assert desk.live() == (1000, 1, 1)
    desk.run(f"drop role {role}")


def test_24_a_table_of_another_owner_is_refused_by_that_name(desk: Desk, postgres_admin_dsn: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    admin = Desk(
        desk.publisher,
        desk.client,
        postgres_admin_dsn.rsplit("/", 1)[0] + "/" + desk.dsn.rsplit("/", 1)[1],
        desk.s3,
    )
    admin.run("alter table public.board owner to postgres")
    with pytest.raises(PreflightError, match="belongs to postgres"):
        desk.publish()
    assert admin.live() == (1000, 1, 1)
