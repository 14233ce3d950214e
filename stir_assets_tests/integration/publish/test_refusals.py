"""Fault 19: what follows a table's identity cannot come along, so the publication is refused, by name."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from stir_assets.publish.errors import PreflightError, Refused
from stir_assets.publish.publication import Progress
from stir_assets.publish.target import Index, Mode
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.cluster import Cluster
from stir_assets_tests.integration.publish.conftest import TARGET, Desk, new_publisher

# What somebody makes, the name the refusal must give, and how it is taken away again.
OBSTACLES = {
    "a materialized view": (
        "create materialized view public.frozen as select count(*) from public.board", "frozen",
        "drop materialized view public.frozen",
    ),
    "a materialized view on a view": (
        "create view public.between as select * from public.board; "
        "create materialized view public.frozen as select count(*) from public.between", "frozen",
        "drop materialized view public.frozen; drop view public.between",
    ),
    "a foreign key to it": (
        "create table public.child (board bigint constraint to_board references public.board)", "to_board",
        "drop table public.child",
    ),
    "a foreign key of it": (
        "create table public.parent (id bigint primary key); insert into public.parent select n from "
        "generate_series(0, 2000) n; "
        "alter table public.board add constraint to_parent foreign key (id) references public.parent", "to_parent",
        "alter table public.board drop constraint to_parent; drop table public.parent",
    ),
    "a function of its rows": (
        "create function public.label(public.board) returns text language sql as 'select $1.name'", "label",
        "drop function public.label",
    ),
    "a column of its row type": (
        "create table public.log (entry public.board)", "entry", "drop table public.log",
    ),
    "a serial column": (
        "create sequence public.counter owned by public.board.id; "
        "alter table public.board alter column id set default nextval('public.counter')", "counter",
        "alter table public.board alter column id drop default; drop sequence public.counter",
    ),
    "a child table": ("create table public.kid () inherits (public.board)", "kid", "drop table public.kid"),
}  # fmt: skip


def test_19_what_cannot_be_carried_is_refused_by_name_and_stays(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    for make, name, remove in OBSTACLES.values():
        desk.run(make)
        with pytest.raises(Refused, match=name):
            desk.publish()
        assert desk.rows("select count(*), max(version) from only public.board") == [(1000, 1)]
        desk.run(remove)  # fails unless everything is still there
    desk.publish()
    assert desk.live() == (1000, 2, 2)


def test_19_a_subscriber_of_the_table_refuses_because_it_would_stay_with_the_old_one(
    desk: Desk, cluster: Cluster, clickhouse_server: ClickHouseSettings
) -> None:
    here = Desk(new_publisher(clickhouse_server, cluster.dsn, desk.s3), desk.client, cluster.dsn, desk.s3)
    here.fill(1)
    here.publish()
    here.fill(2)
    here.run("select pg_create_logical_replication_slot('subscriber', 'pgoutput')")
    for kind in ("table public.board", "all tables", "tables in schema public"):
        here.run(f"create publication feed for {kind}")
        with pytest.raises(Refused, match=r"feed.*subscriber"):
            here.publish()
        assert here.live() == (1000, 1, 1)
        here.run("drop publication feed")
    here.publish()
    assert here.live() == (1000, 2, 2)


def test_19_dependents_of_a_stranger_are_refused_by_name(desk: Desk, postgres_admin_dsn: str) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    stranger = f"stranger_{uuid.uuid4().hex[:8]}"
    admin = replace(desk, dsn=postgres_admin_dsn.rsplit("/", 1)[0] + "/" + desk.dsn.rsplit("/", 1)[1])
    admin.run(f"create role {stranger}")
    admin.run(
        f"create view public.theirs as select * from public.board; alter view public.theirs owner to {stranger}"
    )
    try:
        with pytest.raises(Refused, match=rf"theirs of {stranger}"):
            desk.publish()
        assert desk.live() == (1000, 1, 1)
    finally:
        admin.run("drop view public.theirs")
        admin.run(f"drop role {stranger}")


# Made by hand on a column that is no longer declared; `{table}` is where the rows are.
USERS = {
    "board_name": "create index board_name on {table} (name)",
    "board_lower": "create index board_lower on {table} (lower(name))",
    "board_some": "create index board_some on {table} (id) where name is not null",
    "board_stats": "create statistics public.board_stats on version, name from {table}",
    "board_filled": "alter table {table} add constraint board_filled check (name <> '')",
    "board_few": "create policy board_few on {table} using (name <> '')",
    "board_view": "create view public.board_view as select id, name from public.board",
}
DROPS = (
    "drop view public.board_view; drop policy board_few on {table}; alter table {table} drop constraint board_filled; "
    "drop statistics public.board_stats; drop index {schema}.board_some, {schema}.board_lower, {schema}.board_name"
)


@pytest.mark.parametrize("mode", ["rename", "pointer", "diff"])
def test_a_column_does_not_go_while_something_made_by_hand_uses_it(desk: Desk, mode: Mode) -> None:
    desk.fill(1)
    declared = (*TARGET.indexes, Index(("name",), name="ours"), Index(("upper(name)",), name="ours_too"))
    desk.publish(mode=mode, indexes=declared)
    version = desk.rows("select version from stir.publication")[0][0]
    schema, table = ("stir_publish", version) if mode == "pointer" else ("public", "board")
    for statement in USERS.values():
        desk.run(statement.format(table=f"{schema}.{table}"))
    desk.fill(2)
    phases: list[str] = []
    fewer = {"mode": mode, "columns": TARGET.columns[:2], "allow_schema_change": True}
    with pytest.raises(PreflightError, match=r"column name would go.*keep the column") as refused:
        desk.publish(on_progress=lambda progress: phases.append(progress.phase), **fewer)
    assert phases == ["preflight"]
    assert len(refused.value.objects) == len(USERS)
    assert all(any(name in text for text in refused.value.objects) for name in USERS)
    assert desk.live() == (1000, 1, 1)
    desk.run(DROPS.format(schema=schema, table=f"{schema}.{table}"))
    desk.publish(**fewer)  # what was declared goes with its declaration
    assert desk.live() == (1000, 2, 2)
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 1, 1)
    desk.publisher.rollback("public.board")  # and is no obstacle on the way back
    assert desk.live() == (1000, 2, 2)


def test_an_index_on_a_column_that_goes_made_while_publishing_is_not_lost_either(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)

    def change(progress: Progress) -> None:
        if progress.phase == "swap":
            desk.run("create index if not exists late on public.board (name)")

    with pytest.raises(PreflightError, match=r"index public\.late on column name"):
        desk.publish(columns=TARGET.columns[:2], allow_schema_change=True, on_progress=change)
    assert desk.live() == (1000, 1, 1)
    assert desk.rows("select 1 from pg_indexes where indexname = 'late'") == [(1,)]
    assert desk.leftovers().versions == 0
