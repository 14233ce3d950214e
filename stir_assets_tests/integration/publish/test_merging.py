"""Modes `diff` and `upsert`: only what differs is written, all or nothing; the way back; when a swap takes over."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from stir_assets.publish.errors import NothingToRollBack, PostgresUnavailable, PreflightError, Refused
from stir_assets.publish.publication import Progress, Publication
from stir_assets.publish.target import Column, Enrichment, Guards, Index, SqlCheck
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, TARGET, Desk

DIFF = replace(TARGET, mode="diff", guards=Guards(max_shrink=0.5))
EVENTS = replace(
    TARGET,
    columns=(*TARGET.columns, Column("at", "timestamp", nullable=False)),
    mode="upsert",
    watermark="at",
    tombstone="gone",
)
ALL = "select id, version, name from public.board order by id"


def source(desk: Desk, rows: str, version: str = "1") -> None:
    """Replace the source: `rows` is a ClickHouse table function of `number`, `version` an expression of it."""
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(number) as id, "
        f"toInt32({version}) as version, concat('name ', toString(number)) as name from {rows}"
    )


def expected(desk: Desk) -> list[tuple[Any, ...]]:
    return [
        tuple(row)
        for row in desk.client.query("select id, version, name from source order by id").result_rows
    ]


def test_only_what_differs_is_written_and_the_table_keeps_its_identity(desk: Desk) -> None:
    source(desk, "numbers(1000)")
    assert desk.publish(DIFF).way == "swap"
    desk.run("create materialized view public.kept as select count(*) from public.board")
    identity = desk.rows("select 'public.board'::regclass::oid::bigint")
    before = desk.rows(ALL)
    source(desk, "numbers(10, 1000)", "if(number < 50, 2, 1)")
    with psycopg.connect(desk.dsn) as idle:  # nobody who reads is in the way
        idle.execute("select 1 from public.board limit 1")
        publication = desk.publish(DIFF)
    assert publication.way == "merge"
    assert publication.changed_rows == {"inserted": 10, "updated": 40, "deleted": 10}
    assert publication.rows == 1000
    after = desk.rows(ALL)
    assert after == expected(desk)
    touched = desk.rows("select count(*) from public.board group by xmin::text order by 1")
    assert [count for (count,) in touched] == [50, 950]
    for state in (before, after, before):
        desk.publisher.rollback("public.board")
        assert desk.rows(ALL) == state
    assert desk.publish(DIFF).changed_rows == {"inserted": 10, "updated": 40, "deleted": 10}
    assert desk.rows(ALL) == after
    assert desk.publish(DIFF).changed_rows == {"inserted": 0, "updated": 0, "deleted": 0}
    assert desk.rows("select 'public.board'::regclass::oid::bigint") == identity
    assert desk.leftovers() == PREVIOUS_ONLY


def test_readers_see_all_of_a_merge_or_nothing(desk: Desk) -> None:
    source(desk, "numbers(2000)", "if(number < 300, 1, 0)")
    desk.publish(DIFF)
    stop, seen, errors = threading.Event(), set(), []

    def read() -> None:
        query = "select count(*), min(version), max(version) from public.board where id < 300"
        with psycopg.connect(desk.dsn, autocommit=True) as connection:
            while not stop.is_set():
                try:
                    seen.add(connection.execute(query, prepare=True).fetchone())
                except psycopg.Error as error:
                    errors.append(error)
                    return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        ways = []
        for version in range(2, 7):
            source(desk, "numbers(2000)", f"if(number < 300, {version}, 0)")
            ways.append(desk.publish(DIFF).way)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert ways == ["merge"] * 5
    assert not errors
    assert len(seen) > 1
    assert all(row is not None and row[0] == 300 and row[1] == row[2] for row in seen)


def test_too_many_changes_are_swapped_in_or_refused_with_the_reason(desk: Desk) -> None:
    source(desk, "numbers(1000)")
    desk.publish(DIFF)
    source(desk, "numbers(1000)", "if(number < 201, 2, 1)")
    publication = desk.publish(DIFF)
    assert publication.way == "swap"
    assert "201 of 1000" in publication.warnings[0]
    assert desk.rows(ALL) == expected(desk)
    desk.publisher.rollback("public.board")
    assert desk.live() == (1000, 1, 1)
    desk.run("create materialized view public.kept as select count(*) from public.board")
    with pytest.raises(PreflightError, match=r"(?s)201 of 1000.*kept"):
        desk.publish(DIFF)
    assert desk.live() == (1000, 1, 1)
    assert desk.publish(DIFF, max_changed=0.3).way == "merge"
    assert desk.leftovers() == PREVIOUS_ONLY


def test_a_declaration_that_changes_the_table_builds_it_anew(desk: Desk) -> None:
    source(desk, "numbers(100)")
    desk.publish(DIFF)
    assert desk.publish(DIFF, indexes=(Index(("name",)),)).way == "swap"
    names = "select indexname from pg_indexes where schemaname = 'public' and tablename = 'board' order by 1"
    assert desk.rows(names) == [("board_name_idx",), ("board_pkey",)]
    assert desk.publish(DIFF, indexes=(Index(("name",)),)).way == "merge"


def test_rows_that_would_clash_on_the_way_are_swapped_in(desk: Desk) -> None:
    unique = replace(DIFF, unique_key=("name",))
    source(desk, "numbers(100)")
    desk.publish(unique)
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(number) as id, "
        "toInt32(1) as version, concat('name ', toString(if(number < 2, 1 - number, number))) as name from numbers(100)"
    )
    assert desk.publish(unique).way == "swap"
    assert desk.rows(ALL) == expected(desk)


def test_a_duplicate_key_and_a_failing_check_leave_the_live_rows_and_a_candidate(desk: Desk) -> None:
    source(desk, "numbers(1000)")
    desk.publish(DIFF)
    desk.client.command("insert into source values (5, 2, 'twice')")
    with pytest.raises(Refused, match="key") as refused:
        desk.publish(DIFF)
    assert refused.value.candidate is not None
    assert desk.rows(f"select count(*) from {refused.value.candidate}") == [(1001,)]
    source(desk, "numbers(1000)", "if(number = 7, 2, 1)")
    none = Guards(checks=(SqlCheck("none of version 2", "select * from {table} where version = 2"),))
    with pytest.raises(Refused, match="none of version 2"):
        desk.publish(DIFF, guards=none)
    assert desk.live() == (1000, 1, 1)
    assert desk.publish(DIFF).changed_rows["updated"] == 1
    assert desk.leftovers() == PREVIOUS_ONLY


def test_a_backend_that_dies_in_the_middle_of_a_merge_leaves_the_old_rows(desk: Desk) -> None:
    source(desk, "numbers(1000)")
    desk.publish(DIFF)
    desk.run(
        "create function public.dies() returns trigger language plpgsql as $$ begin if new.id = 40 then "
        "perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$"
    )
    desk.run("create trigger dies before update on public.board for each row execute function public.dies()")
    source(desk, "numbers(1000)", "if(number < 100, 2, 1)")
    with pytest.raises(PostgresUnavailable):
        desk.publish(DIFF)
    assert desk.live() == (1000, 1, 1)
    desk.run("drop function public.dies cascade")
    desk.publish(DIFF)
    assert desk.rows(ALL) == expected(desk)
    assert desk.leftovers() == PREVIOUS_ONLY


def test_enrichment_counts_as_part_of_the_rows(desk: Desk) -> None:
    enriched = replace(
        DIFF,
        columns=(*TARGET.columns, Column("owner", "text", enriched=True)),
        enrichments=(
            Enrichment(
                "owners",
                "update {table} t set owner = o.owner from public.owners o where o.id = t.id",
                {"public.owners": ("id", "owner")},
            ),
        ),
    )
    source(desk, "numbers(1000)")
    desk.run(
        "create table public.owners as select g::bigint as id, 'a' as owner from generate_series(0, 999) g"
    )
    desk.publish(enriched)
    desk.run("update public.owners set owner = 'b' where id < 30")
    assert desk.publish(enriched).changed_rows == {"inserted": 0, "updated": 30, "deleted": 0}
    assert desk.rows("select owner, count(*) from public.board group by 1 order by 1") == [
        ("a", 970),
        ("b", 30),
    ]


def test_an_undo_that_a_crash_emptied_is_not_applied(desk: Desk) -> None:
    source(desk, "numbers(1000)")
    desk.publish(DIFF)
    source(desk, "numbers(1000)", "if(number < 100, 2, 1)")
    desk.publish(DIFF)
    kept = desk.rows("select previous from stir.publication")[0][0]
    desk.run(f"truncate stir_publish.{kept}")
    with pytest.raises(NothingToRollBack, match="not whole"):
        desk.publisher.rollback("public.board")
    assert desk.rows(ALL) == expected(desk)


def events(desk: Desk) -> Callable[..., None]:
    """An event table with a time and a tombstone; returns what writes rows of one moment into it."""
    desk.client.command(
        "create or replace table source (id Int64, version Int32, name String, at DateTime64(3, 'UTC'), gone UInt8) "
        "engine = ReplacingMergeTree(at) order by id"
    )

    def write(ids: str, version: int, at: str, gone: int = 0) -> None:
        desk.client.command(
            f"insert into source select number, {version}, 'x', toDateTime64('2024-01-01 {at}', 3, 'UTC'), {gone} "
            f"from {ids}"
        )

    return write


def publish_events(desk: Desk, **changes: Any) -> Publication:
    return desk.publisher.publish(
        replace(EVENTS, **changes),
        f"select * from {desk.client.database}.source final",
        run_id=uuid.uuid4().hex,
        data_time="max(at)",
    )


def test_an_upsert_exports_and_merges_only_rows_since_the_watermark(desk: Desk) -> None:
    write = events(desk)
    write("numbers(999)", 1, "10:00:00")
    write("numbers(999, 1)", 1, "10:30:00")
    assert publish_events(desk).way == "swap"
    write("numbers(20)", 2, "11:00:00")
    write("numbers(1000, 5)", 2, "11:00:00")
    write("numbers(100, 3)", 2, "11:00:00", gone=1)
    publication = publish_events(desk)
    assert publication.way == "delta"
    assert publication.exported_rows == 29
    assert publication.changed_rows == {"inserted": 5, "updated": 20, "deleted": 3}
    assert publication.rows == 1002
    assert str(publication.data_time) == "2024-01-01 11:00:00+00:00"
    assert desk.rows("select count(*), sum(version) from public.board") == [(1002, 977 + 2 * 25)]
    # Nothing new: the newest moment is looked at again, because it may not have been complete, and nothing changes.
    again = publish_events(desk)
    assert again.exported_rows == 28
    assert sum(again.changed_rows.values()) == 0
    assert again.rows == 1002


def test_a_rollback_takes_the_watermark_back_too(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    publish_events(desk)
    write("numbers(20)", 2, "11:00:00")
    publish_events(desk)
    desk.publisher.rollback("public.board")
    assert desk.rows("select sum(version) from public.board") == [(1000,)]
    write("numbers(20, 10)", 3, "12:00:00")
    assert publish_events(desk, max_changed=1).changed_rows["updated"] == 30
    assert desk.rows("select sum(version) from public.board") == [(970 + 2 * 20 + 3 * 10,)]


def test_what_the_watermark_cannot_see_is_found_by_the_comparison_of_all_rows(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    publish_events(desk)
    desk.client.command("delete from source where id < 5")
    write("numbers(2000, 4)", 1, "09:00:00")
    assert sum(publish_events(desk, max_changed=1).changed_rows.values()) == 0
    found = publish_events(desk, reconcile_after=timedelta(0))
    assert (found.way, found.changed_rows) == ("merge", {"inserted": 4, "updated": 0, "deleted": 5})
    write("numbers(3000, 2)", 1, "09:59:00")
    assert publish_events(desk, overlap=61, max_changed=1).changed_rows["inserted"] == 2
    assert desk.live()[0] == 1001


def test_more_changes_than_allowed_since_the_watermark_replace_the_table(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    publish_events(desk)
    write("numbers(201)", 2, "11:00:00")
    write("numbers(1)", 2, "12:00:00", gone=1)
    publication = publish_events(desk)
    assert (publication.way, publication.rows) == ("swap", 999)
    assert desk.rows("select count(*), sum(version) from public.board") == [(999, 799 + 2 * 200)]
    assert desk.leftovers() == PREVIOUS_ONLY


def test_a_refused_delta_moves_neither_rows_nor_watermark(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    publish_events(desk)
    write("numbers(20)", 2, "11:00:00")
    none = Guards(checks=(SqlCheck("none of version 2", "select * from {table} where version = 2"),))
    with pytest.raises(Refused, match=r"none of version 2.*after the merge"):
        publish_events(desk, guards=none)
    assert desk.rows("select sum(version) from public.board") == [(1000,)]
    assert publish_events(desk).changed_rows["updated"] == 20


def test_an_older_publication_cannot_merge_over_a_newer_one(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    publish_events(desk)
    write("numbers(20)", 2, "11:00:00")

    def overtake(progress: Progress) -> None:
        if progress.phase == "merge":
            desk.run("update stir_publish.target set seq = seq + 1")

    with pytest.raises(Exception, match="another publication went live"):
        desk.publisher.publish(
            EVENTS, f"select * from {desk.client.database}.source final", run_id="slow", on_progress=overtake
        )
    assert desk.rows("select sum(version) from public.board") == [(1000,)]


def test_a_broken_time_in_the_future_hides_nothing(desk: Desk) -> None:
    write = events(desk)
    write("numbers(1000)", 1, "10:00:00")
    desk.client.command("insert into source values (5000, 1, 'x', '2099-01-01 00:00:00', 0)")
    publish_events(desk)
    desk.client.command("insert into source select 1, 9, 'x', now64(3) + 5, 0")
    assert publish_events(desk).changed_rows["updated"] == 1


def test_every_change_of_mode_keeps_rows_grants_and_views(desk: Desk) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    desk.run(f"create role {role}")
    desk.run(f"grant {role} to current_user with set true, inherit false")
    write = events(desk)
    write("numbers(1000)", 0, "10:00:00")
    publish_events(desk, mode="rename", watermark=None, tombstone=None)
    desk.run("create view public.top as select * from public.board where id < 10")
    desk.run(f"grant select on public.board, public.top to {role}")
    steps = (("diff", "merge"), ("upsert", "merge"), ("upsert", "delta"), ("pointer", "swap"), ("diff", "swap"),
             ("upsert", "merge"), ("rename", "swap"))  # fmt: skip
    for number, (mode, way) in enumerate(steps, 1):
        write("numbers(10)", number, f"11:00:{number:02}")
        changes: dict[str, Any] = {"mode": mode, "allow_mode_change": True}
        if mode != "upsert":
            changes |= {"watermark": None, "tombstone": None}
        assert publish_events(desk, **changes).way == way
        with psycopg.connect(desk.dsn) as connection:
            connection.execute(f"set role {role}")  # pyright: ignore[reportArgumentType]
            for relation in ("board", "top"):
                query = f"select sum(version) from public.{relation}"
                assert connection.execute(query).fetchone() == (10 * number,)  # pyright: ignore[reportArgumentType]
    assert desk.leftovers() == PREVIOUS_ONLY
