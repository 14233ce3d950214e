"""Mode `pointer`: readers never wait, whatever they hold; what hangs off the view stays; what cannot stay is refused."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from stir_assets.publish.errors import ContractError, PreflightError, Refused
from stir_assets.publish.publication import Progress, Publication
from stir_assets.publish.target import Column, Grant
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, TARGET, Desk, Leftovers

NUMBERED = (*TARGET.columns, Column("amount", "numeric(18,4)", source="toDecimal64(id, 4)"))


@pytest.fixture
def role(desk: Desk) -> str:
    """A role that may do nothing yet."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    desk.run(f"create role {name}")
    desk.run(f"grant {name} to current_user with set true, inherit false")
    return name


def read_as(desk: Desk, role: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(desk.dsn) as connection:
        connection.execute(f"set role {role}")  # pyright: ignore[reportArgumentType]
        return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType]


def publish(desk: Desk, version: int, **changes: Any) -> Publication:
    desk.fill(version)
    return desk.publish(mode="pointer", **changes)


def test_readers_that_hold_everything_neither_wait_nor_delay_the_swap(desk: Desk) -> None:
    publish(desk, 1)
    prepared = psycopg.connect(desk.dsn, autocommit=True)
    query = "select count(*), min(version), max(version) from public.board"
    assert prepared.execute(query, prepare=True).fetchone() == (1000, 1, 1)
    with psycopg.connect(desk.dsn) as idle:
        # ACCESS SHARE on the view and its version until the end: an ACCESS EXCLUSIVE lock on either times out.
        idle.execute("select 1 from public.board limit 1")
        for version in (2, 3, 4):
            publication = publish(desk, version)
            assert publication.swap_attempts == 1
            assert prepared.execute(query, prepare=True).fetchone() == (1000, version, version)
        # Each statement of an open transaction reads what is live then; its old version was not dropped under it.
        assert idle.execute(query).fetchone() == (1000, 4, 4)
        assert desk.leftovers().versions == 3
    prepared.close()
    publish(desk, 5)
    assert desk.leftovers() == Leftovers(versions=2)


def test_the_function_is_inlined_and_types_keep_their_precision(desk: Desk) -> None:
    publish(desk, 1, columns=NUMBERED)
    plan = "\n".join(row[0] for row in desk.rows("explain select name from public.board where id = 7"))
    assert "Index Scan" in plan
    assert "Function Scan" not in plan
    kinds = desk.rows(
        "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'public.board'::regclass "
        "and attnum > 0 order by attnum"
    )
    assert [kind for (kind,) in kinds] == ["bigint", "integer", "text", "numeric(18,4)"]


def test_a_role_without_any_right_on_the_private_schema_reads_every_version(desk: Desk, role: str) -> None:
    count = "select count(*), max(version) from public.board"
    publish(desk, 1, grants=(Grant(role),))
    assert read_as(desk, role, count) == [(1000, 1)]
    publish(desk, 2)
    assert read_as(desk, role, count) == [(1000, 2)]
    desk.run("revoke select on public.board from public")
    desk.run(f"revoke select on public.board from {role}")
    publish(desk, 3)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        read_as(desk, role, count)
    desk.run(f"grant select on public.board to {role}")
    publish(desk, 4)
    assert read_as(desk, role, count) == [(1000, 4)]


def test_views_policies_and_comments_live_through_swaps_and_a_rollback(desk: Desk, role: str) -> None:
    publish(desk, 1)
    desk.run("create view public.top as select * from public.board where id < 10")
    desk.run("create materialized view public.kept as select count(*) from public.board")
    desk.run(f"grant select on public.board, public.top to {role}")
    desk.run("comment on column public.board.name is 'what it is called'")
    version = desk.rows("select version from stir.publication")[0][0]
    desk.run(f"alter table stir_publish.{version} enable row level security")
    desk.run(f"create policy few on stir_publish.{version} to {role} using (id < 3)")
    identity = desk.rows("select 'public.board'::regclass::oid::bigint")
    for number in (2, 3):
        publish(desk, number)
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 2, 2)
    assert read_as(desk, role, "select count(*), max(version) from public.board") == [(3, 2)]
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 3, 3)
    assert read_as(desk, role, "select count(*), max(version) from public.board") == [(3, 3)]
    assert desk.rows("select max(version) from public.top") == [(3,)]
    assert desk.rows("select col_description('public.board'::regclass, 3)") == [("what it is called",)]
    assert desk.rows("select 'public.board'::regclass::oid::bigint") == identity
    publish(desk, 4)
    assert desk.live() == (1000, 4, 4)


def test_columns_change_in_one_step_for_the_view_and_all_that_hangs_off_it(desk: Desk, role: str) -> None:
    publish(desk, 1)
    desk.run("create view public.top as select id, version from public.board where id < 10")
    desk.run(f"grant select on public.board, public.top to {role}")
    desk.run("comment on view public.board is 'the board'")
    changed = (Column("amount", "numeric(18,4)", source="toDecimal64(id, 4)"), *TARGET.columns)
    with pytest.raises(ContractError, match="amount"):
        publish(desk, 2, columns=changed)
    publish(desk, 2, columns=changed, allow_schema_change=True)
    assert read_as(desk, role, "select max(amount)::text, max(version) from public.board") == [
        ("999.0000", 2)
    ]
    assert read_as(desk, role, "select count(*), max(version) from public.top") == [(10, 2)]
    assert desk.rows("select obj_description('public.board'::regclass)") == [("the board",)]
    desk.publisher.rollback("public.board")
    assert read_as(desk, role, "select count(*), max(version) from public.top") == [(10, 1)]
    assert desk.live() == (1000, 1, 1)
    names = "select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where nspname = 'stir_publish'"
    assert desk.rows(names) == [(1,)]


def test_what_reads_a_version_behind_the_views_back_is_refused_by_name(desk: Desk) -> None:
    publish(desk, 1)
    version = desk.rows("select version from stir.publication")[0][0]
    desk.run(f"create view public.sneaky as select * from stir_publish.{version}")
    with pytest.raises(PreflightError, match="sneaky"):
        publish(desk, 2)
    assert desk.live() == (1000, 1, 1)
    desk.run("drop view public.sneaky")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        desk.run(f"drop table stir_publish.{version}")
    desk.run(f"create publication of_it for table stir_publish.{version}")
    with pytest.raises(PreflightError, match="of_it"):
        publish(desk, 2)


def test_a_view_somebody_made_is_not_taken_over(desk: Desk) -> None:
    desk.run("create view public.board as select 1::bigint as id, 1 as version, ''::text as name")
    with pytest.raises(Refused, match="plain table"):
        publish(desk, 1, adopt=True)
    assert desk.live() == (1, 1, 1)


@pytest.mark.parametrize("mode", ["rename", "pointer"])
def test_a_grant_made_while_the_load_runs_counts_for_the_new_version(
    desk: Desk, role: str, mode: str
) -> None:
    desk.fill(1)
    desk.publish(mode=mode)
    desk.fill(2)

    def grant(progress: Progress) -> None:
        if progress.phase == "guards":
            desk.run(f"grant select on public.board to {role}")

    desk.publish(mode=mode, on_progress=grant)
    assert read_as(desk, role, "select max(version) from public.board") == [(2,)]


def test_from_table_to_pointer_and_back_keeps_rows_grants_and_views(desk: Desk, role: str) -> None:
    desk.fill(1)
    desk.publish(columns=NUMBERED)
    desk.run("create view public.top as select * from public.board where id < 10")
    desk.run(f"grant select on public.board, public.top to {role}")
    desk.run("create index by_amount on public.board (amount)")
    desk.run("create statistics of_board on id, version from public.board")
    names = "select indexname from pg_indexes where schemaname = 'public' and tablename = 'board' order by 1"
    before = desk.rows(names)
    for number, mode in ((2, "pointer"), (3, "pointer"), (4, "rename"), (5, "rename")):
        desk.fill(number)
        changes = {"mode": mode, "columns": NUMBERED}
        if number in (2, 4):
            with pytest.raises(PreflightError, match="allow_mode_change"):
                desk.publish(**changes)
        desk.publish(**changes, allow_mode_change=True)
        assert read_as(desk, role, "select count(*), max(version) from public.board") == [(1000, number)]
        assert read_as(desk, role, "select count(*), max(version) from public.top") == [(10, number)]
        if number in (2, 4):  # the way back crosses the change of mode, and leads forth again
            desk.publisher.rollback("public.board")
            assert read_as(desk, role, "select count(*), max(version) from public.top") == [(10, number - 1)]
            desk.publisher.rollback("public.board")
            assert read_as(desk, role, "select max(version) from public.board") == [(number,)]
    assert desk.rows(names) == before
    assert desk.rows(
        "select stxname::text from pg_statistic_ext where stxrelid = 'public.board'::regclass"
    ) == [("of_board",)]
    assert desk.leftovers() == PREVIOUS_ONLY
