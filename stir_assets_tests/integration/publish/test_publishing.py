"""One publication after another: what readers see, what is refused, what is left behind. Always the live table."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from clickhouse_connect.driver.client import Client

from stir_assets.publish.errors import (
    Busy,
    ContractError,
    NothingToRollBack,
    PostgresRefused,
    Refused,
    SwapTimeout,
    TypeConversionError,
)
from stir_assets.publish.publication import Progress
from stir_assets.publish.target import Column, Enrichment, Guards, Index, SqlCheck
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher


def test_a_publication_makes_the_table_with_its_key_indexes_and_statistics(desk: Desk) -> None:
    desk.fill(1)
    publication = desk.publish()
    assert (publication.rows, publication.exported_rows, desk.live()) == (1000, 1000, (1000, 1, 1))
    indexes = desk.rows("select indexdef from pg_indexes where schemaname = 'public' and tablename = 'board'")
    assert len(indexes) == 2
    assert desk.rows("select relpersistence::text from pg_class where oid = 'public.board'::regclass") == [
        ("p",)
    ]
    assert desk.rows(
        "select count(*) > 0 from pg_stats where schemaname = 'public' and tablename = 'board'"
    ) == [(True,)]


def test_only_the_live_and_the_previous_version_stay(desk: Desk) -> None:
    for version in range(1, 5):
        desk.fill(version)
        desk.publish()
    assert desk.live() == (1000, 4, 4)
    tables, objects, frozen = desk.leftovers()
    assert (tables, objects, frozen) == (1, 0, 0)


def test_readers_never_see_an_error_an_empty_table_or_two_versions(desk: Desk) -> None:
    desk.fill(1, 2000)
    desk.publish()
    stop, seen, errors = threading.Event(), [], []

    def read() -> None:
        with psycopg.connect(desk.dsn, autocommit=True) as connection:
            while not stop.is_set():
                try:
                    seen.append(
                        connection.execute(
                            "select count(*), min(version), max(version) from public.board", prepare=True
                        ).fetchone()
                    )
                except psycopg.Error as error:
                    errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for version in range(2, 17):
        desk.fill(version, 2000)
        desk.publish()
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert len(seen) > 100
    assert {count for count, _, _ in seen} == {2000}
    assert all(low == high for _, low, high in seen)


def test_a_snapshot_older_than_the_load_never_reads_an_empty_table(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    with psycopg.connect(desk.dsn) as old:
        old.execute("set transaction isolation level repeatable read")
        old.execute("select 1 from pg_class limit 1")  # takes the snapshot
        desk.fill(2)
        desk.publish()
        assert old.execute("select count(*) from public.board").fetchone() == (1000,)


def test_an_idle_reader_blocks_the_swap_but_no_other_reader(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    waits: list[float] = []
    stop = threading.Event()

    def read() -> None:
        with psycopg.connect(desk.dsn, autocommit=True) as connection:
            while not stop.is_set():
                started = time.monotonic()
                connection.execute("select count(*) from public.board")
                waits.append(time.monotonic() - started)
                time.sleep(0.01)

    reader = threading.Thread(target=read)
    with psycopg.connect(desk.dsn) as idle:
        idle.execute("select 1 from public.board limit 1")
        reader.start()
        with pytest.raises(SwapTimeout) as timeout:
            desk.publish()
        stop.set()
        reader.join()
        assert timeout.value.blockers[0].pid == idle.info.backend_pid
    assert max(waits) < 1.0
    assert desk.live() == (1000, 1, 1)
    desk.publish()
    assert desk.live() == (1000, 2, 2)


def test_grants_comments_views_and_row_security_survive_the_swap(desk: Desk) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    desk.fill(1)
    desk.publish()
    desk.run(f"create role {role}")
    desk.run(f"grant {role} to current_user with set true, inherit false")
    desk.run(f"grant select on public.board to {role}")
    desk.run("create view public.top as select * from public.board where id < 10")
    desk.run("create view public.topmost as select * from public.top where id < 5")
    desk.run("alter table public.board enable row level security")
    desk.run(f"create policy few on public.board to {role} using (id < 3)")
    desk.run("comment on column public.board.name is 'what it is called'")
    for version in (2, 3):
        desk.fill(version)
        desk.publish()
    assert desk.rows("select count(*), max(version) from public.topmost") == [(5, 3)]
    with psycopg.connect(desk.dsn) as connection:
        connection.execute(f"set role {role}")  # pyright: ignore[reportArgumentType]
        assert connection.execute("select count(*) from public.board").fetchone() == (3,)
    assert desk.rows("select col_description('public.board'::regclass, 3)") == [("what it is called",)]


def test_a_materialized_view_on_the_table_refuses_the_publication_by_name(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.run("create materialized view public.frozen as select count(*) from public.board")
    desk.fill(2)
    with pytest.raises(Refused, match="frozen"):
        desk.publish()
    assert desk.live() == (1000, 1, 1)
    assert desk.rows("select count(*) from pg_matviews where matviewname = 'frozen'") == [(1,)]


def test_index_names_are_the_same_after_three_publications(desk: Desk) -> None:
    query = "select indexname from pg_indexes where schemaname = 'public' and tablename = 'board' order by 1"
    names = []
    for version in (1, 2, 3):
        desk.fill(version)
        desk.publish()
        names.append(desk.rows(query))
    assert names[0] == names[1] == names[2]


@pytest.mark.parametrize(
    ("second", "changes", "guard"),
    [
        (0, {}, "min_rows"),
        (500, {}, "shrink"),
        (
            1000,
            {
                "guards": Guards(
                    checks=(SqlCheck("none of version 2", "select * from {table} where version = 2"),)
                )
            },
            "none",
        ),
    ],
    ids=["no rows", "half of the rows", "a check of one's own"],
)
def test_a_guard_refuses_and_the_live_table_stays(
    desk: Desk, second: int, changes: dict[str, object], guard: str
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2, second)
    with pytest.raises(Refused) as refused:
        desk.publish(**changes)
    assert guard in refused.value.guard + str(refused.value)
    assert desk.live() == (1000, 1, 1)
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)


def test_a_duplicate_key_is_refused_and_the_live_table_stays(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    desk.client.command("insert into source values (5, 2, 'twice')")
    with pytest.raises(Refused):
        desk.publish()
    assert desk.live() == (1000, 1, 1)


def test_a_null_in_a_column_that_has_none_is_an_error(desk: Desk) -> None:
    desk.fill(1)
    desk.client.command("insert into source values (5000, 1, null)")
    columns = (*TARGET.columns[:2], Column("name", "text", nullable=False))
    with pytest.raises((ContractError, Refused, TypeConversionError)):
        desk.publish(columns=columns)


def test_a_changed_column_is_refused_before_anything_is_exported(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    columns = (*TARGET.columns, Column("extra", "integer", source="1"))
    with pytest.raises((ContractError, Refused), match="extra"):
        desk.publish(columns=columns)
    desk.publish(columns=columns, allow_schema_change=True)
    assert desk.rows("select sum(extra) from public.board") == [(1000,)]


def test_a_column_that_the_relation_has_not_is_named(desk: Desk) -> None:
    desk.fill(1)
    with pytest.raises(ContractError, match="no_such"):
        desk.publish(columns=(*TARGET.columns, Column("no_such", "text")))


def test_text_that_postgresql_cannot_hold_names_column_and_remedies(desk: Desk) -> None:
    desk.fill(1)
    desk.client.command("insert into source values (7000, 1, 'a\\0b')")
    strict = (*TARGET.columns[:2], Column("name", "text", convert="strict"))
    with pytest.raises(TypeConversionError) as error:
        desk.publish(columns=strict)
    assert "'name'" in str(error.value)
    assert "scrub" in str(error.value)
    assert "bytea" in str(error.value)
    desk.publish()
    assert desk.rows("select name from public.board where id = 7000") in ([("a",)], [("ab",)])


def test_types_cross_unchanged(desk: Desk) -> None:
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(1) as id, "
        "toInt32(1) as version, 'tab\\t line\\n back\\\\ quote\\'' as name, "
        "toDecimal64('12345.6789', 4) as amount, toDateTime64('2024-02-29 23:59:59.999999', 6, 'UTC') as moment, "
        "[1.5, nan, -inf] as numbers, ['a,b', '\"', '\\\\', ''] as words, map('k', 1, 'ü', 2) as counts, "
        "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') as identity, cast(null as Nullable(Int32)) as nothing, "
        "toUInt64(18446744073709551615) as big, true as yes"
    )
    extra = (
        Column("amount", "numeric(18,4)"), Column("moment", "timestamp"), Column("numbers", "double precision[]"),
        Column("words", "text[]"), Column("counts", "jsonb"), Column("identity", "uuid"),
        Column("nothing", "integer"), Column("big", "numeric(20,0)"), Column("yes", "boolean"),
    )  # fmt: skip
    desk.publish(columns=(*TARGET.columns, *extra))
    row = desk.rows(
        "select name, amount::text, moment::text, numbers::text, words, counts::text, identity::text, nothing, "
        "big::text, yes from public.board"
    )[0]
    assert row == (
        "tab\t line\n back\\ quote'", "12345.6789", "2024-02-29 23:59:59.999999", "{1.5,NaN,-Infinity}",
        ["a,b", '"', "\\", ""], '{"k": 1, "ü": 2}', "61f0c404-5cb3-11e7-907b-a6006ad3dba0", None,
        "18446744073709551615", True,
    )  # fmt: skip


def test_an_enrichment_fills_and_drops_rows_and_counts_them(desk: Desk) -> None:
    desk.run("create table public.people (id bigint primary key, alias text)")
    desk.run("insert into public.people select n, 'p' || n from generate_series(0, 899) n")
    steps = (
        Enrichment(
            "people", "update {table} t set alias = p.alias from public.people p where p.id = t.id",
            {"public.people": {"id": "bigint", "alias": "text"}},
        ),
        Enrichment("strangers", "delete from {table} where alias is null", drops_rows=True),
    )  # fmt: skip
    desk.fill(1)
    columns = (*TARGET.columns, Column("alias", "text", enriched=True))
    publication = desk.publish(columns=columns, enrichments=steps)
    assert (publication.rows, dict(publication.dropped_rows)) == (900, {"strangers": 100})
    assert desk.rows("select count(*) from public.board where alias = 'p' || id") == [(900,)]
    desk.run("alter table public.people rename column alias to nickname")
    with pytest.raises(Refused, match=r"public\.people"):
        desk.publish(columns=columns, enrichments=steps)
    assert desk.live()[0] == 900


def test_a_rollback_puts_the_previous_version_back_and_forth(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    with pytest.raises(NothingToRollBack):
        desk.publisher.rollback("public.board")
    desk.fill(2)
    desk.publish()
    desk.run("create view public.top as select * from public.board")
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 1, 1)
    assert desk.rows("select max(version) from public.top") == [(1,)]
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 2, 2)
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    with pytest.raises(NothingToRollBack, match="never published"):
        desk.publisher.rollback("public.nothing")


def test_of_two_publishers_one_wins_and_the_other_is_told_who(desk: Desk) -> None:
    desk.fill(1)
    entered, go_on = threading.Event(), threading.Event()

    def hold(progress: Progress) -> None:
        if progress.phase == "load":
            entered.set()
            go_on.wait(20)

    first = threading.Thread(target=lambda: desk.publish(on_progress=hold))
    first.start()
    assert entered.wait(20)
    with pytest.raises(Busy) as busy:
        desk.publish()
    go_on.set()
    first.join()
    assert busy.value.holders
    assert desk.live() == (1000, 1, 1)


PHASES = ("preflight", "snapshot", "load", "index", "analyze", "guards", "swap", "cleanup")


@pytest.mark.parametrize("phase", PHASES)
def test_cancelling_in_any_phase_leaves_nothing_behind(desk: Desk, phase: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)

    def cancel(progress: Progress) -> None:
        if progress.phase == phase:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        desk.publish(on_progress=cancel)
    version = 2 if phase == "cleanup" else 1
    assert desk.live() == (1000, version, version)
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == (1, 0, 0)


@pytest.mark.parametrize("phase", PHASES)
def test_a_client_killed_in_any_phase_is_cleared_up_by_the_next(
    desk: Desk, clickhouse_server: ClickHouseSettings, phase: str
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    program = f"""
        import os, signal
        import boto3
        from stir_assets.core.clickhouse import clickhouse_client
        from stir_assets.publish.publisher import Publisher
        from stir_assets.publish.staging import S3Staging
        from stir_assets.settings import ClickHouseSettings
        from stir_assets_tests.integration.publish.conftest import TARGET
        server = ClickHouseSettings({clickhouse_server.host!r}, {clickhouse_server.port}, {clickhouse_server.user!r},
                                    os.environ["SERVER_PASSWORD"])
        endpoint = {desk.s3.settings.endpoint!r}
        staging = S3Staging({desk.s3.bucket!r}, {desk.s3.prefix!r},
                            lambda: boto3.client("s3", endpoint_url=endpoint), endpoint=endpoint)
        publisher = Publisher(lambda: clickhouse_client(server), os.environ["DSN"], staging)
        def die(progress):
            if progress.phase == {phase!r}:
                os.kill(os.getpid(), signal.SIGKILL)
        publisher.publish(TARGET, "select * from {desk.client.database}.source", run_id="killed", on_progress=die)
    """
    environment = os.environ | {"SERVER_PASSWORD": clickhouse_server.password, "DSN": desk.dsn}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    version = 2 if phase == "cleanup" else 1
    assert desk.live() == (1000, version, version)
    desk.fill(3)
    _retry_while_busy(desk)
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == (1, 0, 0)


def _retry_while_busy(desk: Desk) -> None:
    """The dead client's session takes a moment to be noticed by PostgreSQL."""
    for _ in range(50):
        try:
            desk.publish()
            return
        except Busy:
            time.sleep(0.2)
    raise AssertionError("the lock of the killed client never came free")


def test_a_backend_that_is_terminated_during_the_load_leaves_the_live_table(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2, 200_000)

    def terminate(progress: Progress) -> None:
        if progress.phase == "index":
            desk.run(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'stir-publish:%'"
            )

    with pytest.raises(Exception, match=r"."):
        desk.publish(on_progress=terminate, guards=Guards(max_shrink=1))
    assert desk.live() == (1000, 1, 1)


def test_a_mode_that_is_not_built_is_refused(desk: Desk) -> None:
    desk.fill(1)
    with pytest.raises(ContractError, match="mode 'diff'"):
        desk.publish(mode="diff")


def test_a_table_that_stir_did_not_make_is_only_taken_when_asked(desk: Desk) -> None:
    desk.run("create table public.board (id bigint primary key, version integer not null, name text)")
    desk.run("insert into public.board values (1, 0, 'theirs')")
    desk.fill(1)
    with pytest.raises(Refused, match="adopt"):
        desk.publish()
    assert desk.live() == (1, 0, 0)
    desk.publish(adopt=True, allow_schema_change=True)
    assert desk.live() == (1000, 1, 1)


def test_a_role_that_may_not_create_is_told_so(desk: Desk) -> None:
    desk.fill(1)
    role = f"poor_{uuid.uuid4().hex[:8]}"
    desk.run(f"create role {role} login password 'secret-of-the-test'")
    info = psycopg.conninfo.conninfo_to_dict(desk.dsn) | {"user": role, "password": "secret-of-the-test"}
    poor = new_publisher(_server(desk), psycopg.conninfo.make_conninfo(**info), desk.s3)  # pyright: ignore
    with pytest.raises((PostgresRefused, Refused)) as error:
        poor.publish(TARGET, f"select * from {desk.client.database}.source", run_id="poor")
    assert "secret-of-the-test" not in str(error.value)


def _server(desk: Desk) -> ClickHouseSettings:
    environment = os.environ
    return ClickHouseSettings(
        environment["STIR_CLICKHOUSE_HOST"],
        int(environment["STIR_CLICKHOUSE_PORT"]),
        environment["STIR_CLICKHOUSE_USER"],
        environment["STIR_CLICKHOUSE_PASSWORD"],
    )


def test_no_credential_stands_in_any_query(desk: Desk, clickhouse: Client) -> None:
    desk.fill(1)
    desk.publish()
    secrets = [os.environ[name] for name in ("AWS_SECRET_ACCESS_KEY", "STIR_CLICKHOUSE_PASSWORD")]
    clickhouse.command("system flush logs")
    logged = clickhouse.query("select query from system.query_log where query ilike '%s3(%'").result_rows
    assert logged
    assert not [query for (query,) in logged for secret in secrets if secret in query]


def test_names_that_need_quotes_and_the_longest_name(desk: Desk) -> None:
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as "
        "select toInt64(number) as id, 1 as `Order`, 'x' as `we\"ird` from numbers(10)"
    )
    columns = (Column("id", "bigint", nullable=False), Column("Order", "integer"), Column('we"ird', "text"))
    for table in ("user", "Mixed Case", "t" * 63):
        for _ in range(2):
            desk.publish(table=table, columns=columns, indexes=(Index(("Order",)),))
        quoted = '"' + table + '"'
        assert desk.rows(f"select count(*) from public.{quoted}") == [(10,)]


@pytest.fixture(autouse=True)
def _no_surprises(desk: Desk) -> Iterator[None]:
    """Whatever a test does, no session of the engine is left open."""
    yield
    left = desk.rows(
        "select count(*) from pg_stat_activity where application_name like 'stir-publish%%' and datname = current_database()"
    )
    assert left == [(0,)]
