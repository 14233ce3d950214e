"""Fault 23: the previous version back, the same data with the same guarantees."""

from __future__ import annotations

import psycopg
import pytest

from stir_assets.publish.errors import NothingToRollBack, Refused, SwapTimeout
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, Desk
from stir_assets_tests.integration.publish.readers import Readers

DIGEST = "select md5(string_agg(b::text, ',' order by id)) from public.board b"


def test_23_a_rollback_returns_the_same_data_and_loses_nothing_that_came_since(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    with pytest.raises(NothingToRollBack):
        desk.publisher.rollback("public.board")
    first = desk.rows(DIGEST)
    desk.fill(2)
    desk.publish()
    second = desk.rows(DIGEST)
    desk.run("create view public.top as select * from public.board")
    desk.run("comment on column public.board.name is 'added after the second publication'")
    with Readers(desk.dsn, "select count(*), 0, 0 from public.board", lock_timeout=1500) as readers:
        desk.publisher.rollback("public.board")
        assert (desk.live(), desk.rows(DIGEST)) == ((1000, 1, 1), first)
        assert desk.rows("select max(version) from public.top") == [(1,)]
        desk.publisher.rollback("public.board")
        assert (desk.live(), desk.rows(DIGEST)) == ((1000, 2, 2), second)
    readers.assert_whole(1000)
    assert desk.rows("select col_description('public.board'::regclass, 3)") == [
        ("added after the second publication",)
    ]
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers() == PREVIOUS_ONLY


def test_23_a_rollback_after_vacuum_analyze_and_a_refused_publication(desk: Desk) -> None:
    desk.fill(1)
    desk.publish()
    first = desk.rows(DIGEST)
    desk.fill(2)
    desk.publish()
    previous = desk.rows("select previous from stir_publish.target")[0][0]
    for statement in ("vacuum analyze public.board", f"vacuum (freeze, analyze) stir_publish.{previous}"):
        desk.run(statement)
    desk.client.command("insert into source values (5, 2, 'twice')")
    with pytest.raises(Refused):
        desk.publish()
    assert desk.live() == (1000, 2, 2)
    desk.publisher.rollback("public.board")
    assert (desk.live(), desk.rows(DIGEST)) == ((1000, 1, 1), first)
    assert desk.rows("select indexname from pg_indexes where schemaname = 'public' order by 1") == [
        ("board_pkey",), ("board_version_idx",),
    ]  # fmt: skip
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)


def test_23_a_rollback_gives_up_on_a_reader_that_does_not_let_go_as_a_publication_does(desk: Desk) -> None:
    for version in (1, 2):
        desk.fill(version)
        desk.publish()
    with psycopg.connect(desk.dsn) as idle:
        idle.execute("select 1 from public.board limit 1")
        with pytest.raises(SwapTimeout) as timeout:
            desk.publisher.rollback("public.board")
        assert timeout.value.blockers[0].pid == idle.info.backend_pid
        assert desk.live() == (1000, 2, 2)
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 1, 1)


def test_a_table_that_was_never_published_has_no_way_back(desk: Desk) -> None:
    with pytest.raises(NothingToRollBack, match="never published"):
        desk.publisher.rollback("public.nothing")
