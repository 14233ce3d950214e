"""One publication after another: what is made, what stays, what a declaration may ask for."""

from __future__ import annotations

import pytest

from stir_assets.publish.errors import Refused
from stir_assets.publish.target import Column, Enrichment
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, TARGET, Desk


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
    assert desk.leftovers() == PREVIOUS_ONLY


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


@pytest.mark.parametrize(
    "statement",
    [
        "delete from {table} where id < 100",
        "DELETE\n FROM {table} as t using (select 1) one where t.id < 100",
        "with gone as (delete from {table} where id < 100 returning id) "
        "update {table} set name = 'x' where id = 500 and exists (select from gone)",
        "update {table} set name = 'x'; delete from {table} where id < 100",
    ],
)
def test_rows_that_an_enrichment_drops_unasked_are_noticed_however_it_does_it(
    desk: Desk, statement: str
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    with pytest.raises(Refused, match="from 1000 to 900; declare drops_rows=True"):
        desk.publish(enrichments=(Enrichment("step", statement),))
    assert desk.live() == (1000, 1, 1)


def test_a_table_that_stir_did_not_make_is_only_taken_when_asked(desk: Desk) -> None:
    desk.run("create table public.board (id bigint primary key, version integer not null, name text)")
    desk.run("insert into public.board values (1, 0, 'theirs')")
    desk.fill(1)
    with pytest.raises(Refused, match="adopt"):
        desk.publish()
    assert desk.live() == (1, 0, 0)
    desk.publish(adopt=True, allow_schema_change=True)
    assert desk.live() == (1000, 1, 1)
