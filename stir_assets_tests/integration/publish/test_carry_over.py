"""Faults 17, 18 and 20: what hangs off a table by name, rule or privilege is there after every publication."""

from __future__ import annotations

import difflib
import os
import subprocess
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from stir_assets.local.engine_postgres import bundled_binaries
from stir_assets.publish.target import Column, Index
from stir_assets_tests.integration.publish.conftest import Desk
from stir_assets_tests.integration.publish.readers import Readers

# Everything that `create table (like ... including all)` would lose, and a little more. Not carried: who granted a
# privilege, when that was not the owner, and the owner of statistics, which becomes the table's.
DECORATION = """
grant create on schema public to {owner};
alter table public.board owner to {owner};
grant select (id), update (name) on public.board to {role};
grant select on public.board to {role} with grant option;
alter table public.board enable row level security;
create policy few on public.board as permissive for select to {role} using (id < 3);
create policy none on public.board as restrictive for update to public using (false) with check (id > 0);
comment on policy few on public.board is 'three rows are enough';
comment on table public.board is 'the board';
comment on column public.board.name is 'what it is called';
alter table public.board alter column name set statistics 500;
alter table public.board alter column version set (n_distinct = 7);
alter table public.board alter column name set storage external;
alter table public.board alter column name set compression pglz;
alter table public.board set (fillfactor = 90, autovacuum_enabled = false);
alter table public.board add constraint positive check (id >= 0);
comment on constraint positive on public.board is 'ids start at 0';
create index board_name on public.board (lower(name)) where id > 10;
comment on index public.board_name is 'for the search box';
alter index public.board_name alter column 1 set statistics 300;
alter table public.board add constraint board_pair unique (id, version) deferrable initially deferred;
comment on constraint board_pair on public.board is 'one per version';
alter table public.board cluster on board_version_idx;
alter table public.board replica identity using index board_pkey;
create statistics public.board_stats (dependencies, mcv) on id, version from public.board;
alter statistics public.board_stats set statistics 200;
alter statistics public.board_stats owner to {owner};
comment on statistics public.board_stats is 'they go together';
create function public.stamp() returns trigger language plpgsql as 'begin return new; end';
create trigger board_stamp before update on public.board for each row when (old.id <> new.id) execute function public.stamp();
alter table public.board enable always trigger board_stamp;
create rule board_quiet as on delete to public.board do also nothing;
comment on trigger board_stamp on public.board is 'does nothing';
comment on rule board_quiet on public.board is 'deletes as ever';
create view public.top with (security_barrier) as select id, name from public.board where id < 10;
create view public.topmost as select * from public.top where id < 5;
grant select on public.topmost to {role};
comment on view public.top is 'the first ten';
create function public.newest() returns integer language sql begin atomic select max(version) from public.board; end;
create publication board_feed for table public.board (id, name) where (id > 2);
"""


@pytest.fixture
def role(desk: Desk) -> Iterator[str]:
    """A role that reads, and one of the name with `_owner`; the publisher may become both."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    roles = (name, f"{name}_owner")
    for one, inherit in zip(roles, ("false", "true"), strict=True):
        desk.run(f"create role {one}")
        desk.run(f"grant {one} to current_user with set true, inherit {inherit}")
    yield name
    desk.run(f"grant {name} to current_user with inherit true")
    desk.run(f"drop owned by {', '.join(roles)} cascade")
    for one in roles:
        desk.run(f"drop role {one}")


def schema(desk: Desk) -> list[str]:
    """Everything pg_dump knows of the application's objects: an oracle that is not ours."""
    command = [str(bundled_binaries() / "pg_dump"), "--schema-only", "--exclude-schema=stir*", desk.dsn]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PATH": os.environ.get("PATH", "")}
    )
    return [line for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\"))]


def differences(before: list[str], after: list[str]) -> list[str]:
    """Lines lost and won."""
    return [line for line in difflib.ndiff(before, after) if line[0] in "+-"]


def test_17_nothing_but_the_oid_differs_after_publications_and_rollbacks(desk: Desk, role: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.run(DECORATION.format(role=role, owner=f"{role}_owner"))
    before, oid = schema(desk), desk.rows("select 'public.board'::regclass::oid")
    assert sum("board" in line for line in before) > 30
    for version in (2, 3):
        desk.fill(version)
        desk.publish()
        assert differences(before, schema(desk)) == []
        assert as_role(desk, role, "select count(*), max(version) from public.board") == (3, version)
    desk.publisher.rollback("public.board")
    assert differences(before, schema(desk)) == []
    assert desk.rows("select 'public.board'::regclass::oid") != oid
    assert desk.rows("select public.newest()") == [(2,)]
    assert as_role(desk, role, "select count(*), max(version) from public.board") == (3, 2)


def test_17_a_grant_and_an_index_made_while_publishing_are_carried_too(desk: Desk, role: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)

    def change(progress: object) -> None:
        if getattr(progress, "phase", "") == "swap" and not done:
            done.append(True)
            desk.run(f"grant select on public.board to {role}")
            desk.run("create index late on public.board (name)")
            desk.run("create view public.late_view as select version from public.board")

    done: list[bool] = []
    desk.publish(on_progress=change)
    assert as_role(desk, role, "select count(*), max(version) from public.board") == (1000, 2)
    assert desk.rows("select max(version) from public.late_view") == [(2,)]
    assert desk.rows("select 1 from pg_indexes where schemaname = 'public' and indexname = 'late'") == [(1,)]


@pytest.mark.slow
def test_18_readers_of_views_on_views_see_the_new_rows_and_no_deadlock(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.run("create view public.top with (security_barrier) as select * from public.board")
    desk.run(
        "create view public.topmost as select t.id, b.version from public.top t join public.board b using (id)"
    )
    query = "select count(*), min(version), max(version) from public.topmost"
    with (
        Readers(desk.dsn, query, count=4, lock_timeout=1500) as readers,
        Readers(desk.dsn, count=2) as direct,
    ):
        for version in range(2, 14):
            desk.fill(version)
            desk.publish()
            assert desk.rows("select max(version) from public.topmost") == [(version,)]
    readers.assert_whole(1000, at_least=10)
    direct.assert_whole(1000, at_least=10)
    assert desk.rows("select reloptions from pg_class where oid = 'public.top'::regclass") == [
        (["security_barrier=true"],)
    ]


def test_20_index_names_are_the_same_after_three_publications(desk: Desk) -> None:
    names = []
    for version in (1, 2, 3):
        desk.fill(version)
        desk.publish()
        names.append(
            desk.rows(
                "select indexname from pg_indexes where schemaname = 'public' and tablename = 'board' order by 1"
            )
        )
    assert names[0] == names[1] == names[2] == [("board_pkey",), ("board_version_idx",)]


@pytest.mark.parametrize("table", ["user", "Mixed Case", "t" * 63, 'quo"te', "ünïcödé"])
def test_20_names_that_need_quotes_reserved_words_and_the_longest_name(desk: Desk, table: str) -> None:
    columns = (Column("id", "bigint", nullable=False), Column("Order", "integer"), Column('we"ird', "text"))
    quoted = '"' + table.replace('"', '""') + '"'
    for version in (1, 2, 3):
        desk.client.command(
            "create or replace table source engine = MergeTree order by id as "
            f"select toInt64(number) as id, {version} as `Order`, 'x' as `we\"ird` from numbers(10)"
        )
        desk.publish(table=table, columns=columns, indexes=(Index(("Order",)),))
        assert desk.rows(f'select count(*), max("Order") from public.{quoted}') == [(10, version)]
    desk.publisher.rollback(f"public.{table}")
    assert desk.rows(f'select count(*), max("Order") from public.{quoted}') == [(10, 2)]


def as_role(desk: Desk, role: str, query: str) -> tuple[object, ...]:
    """The only row of a query, asked by somebody who is not the owner's session."""
    with psycopg.connect(desk.dsn) as connection:
        connection.execute(f"set role {role}")  # pyright: ignore[reportArgumentType]
        row = connection.execute(query).fetchone()  # pyright: ignore[reportArgumentType]
    assert row is not None
    return row
