"""A logical subscriber: what it receives of a publication, and that it is never left behind without a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stir_assets.publish.errors import PreflightError
from stir_assets.publish.target import Mode
from stir_assets.settings import ClickHouseSettings
from stir_assets_tests.fixtures.cluster import Cluster, new_cluster
from stir_assets_tests.integration.publish.conftest import Desk, new_publisher, wait_for

ALL = "select id, version, name from public.board order by id"
COUNTED = "select action, count(*) from public.received group by action order by action"
SUBSCRIBER = """
    create table public.board (id bigint primary key, version integer not null, name text);
    create table public.received (action text);
    create function public.receive() returns trigger language plpgsql as
        $$ begin insert into public.received values (lower(tg_op)); return null; end $$;
    create trigger received after insert or update or delete on public.board
        for each row execute function public.receive();
    alter table public.board enable always trigger received;
"""


@pytest.fixture
def here(cluster: Cluster, desk: Desk, clickhouse_server: ClickHouseSettings) -> Desk:
    """A desk on a server of its own, whose changes can be subscribed to."""
    return Desk(new_publisher(clickhouse_server, cluster.dsn, desk.s3), desk.client, cluster.dsn, desk.s3)


@pytest.fixture
def subscriber(here: Desk, pristine_cluster: Path, tmp_path: Path) -> Iterator[Desk]:
    """Another server, which has a table like the one published and counts the rows that arrive."""
    with new_cluster(pristine_cluster, tmp_path / "subscriber") as other:
        other.start()
        there = replace(here, dsn=other.dsn)
        there.run(SUBSCRIBER)
        yield there


def subscribe(here: Desk, there: Desk) -> None:
    """Follow the publication `feed` from its rows of now on; they are not counted."""
    there.run("truncate public.board")
    there.run(f"create subscription feed connection '{here.dsn}' publication feed")
    wait_for(lambda: there.rows(ALL) == here.rows(ALL))
    there.run("truncate public.received")


def mixed(desk: Desk, rows: str, changed: int) -> None:
    """Fill the source from a table function of `number`; the first `changed` numbers have version 2."""
    desk.client.command(
        "create or replace table source engine = MergeTree order by id as select toInt64(number) as id, "
        f"toInt32(if(number < {changed}, 2, 1)) as version, concat('name ', toString(number)) as name from {rows}"
    )


@pytest.mark.parametrize("mode", ["diff", "upsert"])
def test_only_what_a_merge_changes_is_replicated_and_the_subscriber_stays_equal(
    here: Desk, subscriber: Desk, mode: Mode
) -> None:
    changes: dict[str, Any] = {"mode": mode}
    if mode == "upsert":
        changes |= {"watermark": "version", "tombstone": "version < 0"}
    mixed(here, "numbers(1000)", 0)
    assert here.publish(**changes).way == "swap"
    here.run("create publication feed for table public.board")
    subscribe(here, subscriber)
    # Rows 0 to 9 go and 1000 to 1009 come; an upsert of rows looked at again does not see what is gone.
    mixed(here, "numbers(10, 1000)", 50)
    publication = here.publish(**changes)
    deleted = 10 if mode == "diff" else 0
    assert publication.way == ("merge" if mode == "diff" else "delta")
    assert publication.changed_rows == {"inserted": 10, "updated": 40, "deleted": deleted}
    received = [row for row in (("delete", deleted), ("insert", 10), ("update", 40)) if row[1]]
    wait_for(lambda: subscriber.rows(COUNTED) == received)
    assert subscriber.rows(ALL) == here.rows(ALL)
    # The way back is a merge as well.
    here.publisher.rollback("public.board")
    back = [row for row in (("delete", deleted + 10), ("insert", 10 + deleted), ("update", 80)) if row[1]]
    wait_for(lambda: subscriber.rows(COUNTED) == back)
    assert subscriber.rows(ALL) == here.rows(ALL)
    # Too much for a merge would be a swap, which no subscriber follows.
    mixed(here, "numbers(1000)", 600)
    with pytest.raises(PreflightError, match=r"600 of 1000 rows differ.*max_changed=1.*feed"):
        here.publish(**changes)
    assert subscriber.rows(ALL) == here.rows(ALL)
    assert here.publish(max_changed=1.0, **changes).changed_rows["updated"] == 600
    wait_for(lambda: subscriber.rows(ALL) == here.rows(ALL))


def test_a_swap_is_refused_while_somebody_subscribes_and_carries_the_publication_for_the_next(
    here: Desk, subscriber: Desk
) -> None:
    here.fill(1)
    here.publish()
    here.run("create publication feed for table public.board (id, version, name) where (id >= 0)")
    subscribe(here, subscriber)
    here.fill(2)
    with pytest.raises(PreflightError, match=r"diff.*feed"):
        here.publish()
    assert here.live() == subscriber.live() == (1000, 1, 1)
    # The way out that the refusal names.
    merging = {"mode": "diff", "allow_mode_change": True, "max_changed": 1.0}
    here.publish(**merging)
    wait_for(lambda: subscriber.live() == (1000, 2, 2))
    assert subscriber.rows(COUNTED) == [("update", 1000)]
    # Nobody listens any more: the swap takes the new table into the publication, filter and columns with it.
    subscriber.run("drop subscription feed")
    here.fill(3)
    here.publish(allow_mode_change=True)
    published = "select tablename::text, attnames::text, rowfilter from pg_publication_tables"
    assert here.rows(published) == [("board", "{id,version,name}", "(id >= 0)")]
    subscribe(here, subscriber)
    assert subscriber.live() == (1000, 3, 3)
    here.fill(4, rows=1001)
    here.publish(**merging)
    wait_for(lambda: subscriber.live() == (1001, 4, 4))
