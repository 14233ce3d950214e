"""Column lineage read off SQL, in the shapes that the models use."""

from __future__ import annotations

import pytest

from stir_assets.dbt.column_lineage import column_lineage

TABLES = {"raw": {"posts": ["id", "likes", "comments", "author"], "authors": ["author_id", "name"]}}


def lineage_of(sql: str) -> dict[str, list[str]]:
    return {
        column: [f"{table}.{name}" for _, table, name in inputs]
        for column, inputs in column_lineage(sql, TABLES).items()
    }


def test_a_value_is_followed_through_ctes_stars_and_joins() -> None:
    sql = """
        with posts as (select * from raw.posts),
        totals as (select author, sum(likes + comments) as engagement from posts group by author)
        select t.engagement as engagement, upper(a.name) as author
        from totals as t left join raw.authors as a on t.author = a.author_id
    """
    assert lineage_of(sql) == {"engagement": ["posts.comments", "posts.likes"], "author": ["authors.name"]}


def test_conditions_join_keys_and_order_are_no_lineage() -> None:
    sql = "select id from raw.posts where likes > 0 order by comments limit 1 by author"
    assert lineage_of(sql) == {"id": ["posts.id"]}


def test_branches_of_a_union_are_matched_by_place() -> None:
    sql = "select id as key, 0 as likes from raw.posts union all select author_id, name from raw.authors"
    assert lineage_of(sql) == {"key": ["authors.author_id", "posts.id"], "likes": ["authors.name"]}


def test_an_alias_used_in_the_same_select_stands_for_its_inputs() -> None:
    sql = "select likes * 2 as doubled, doubled + comments as both from raw.posts"
    assert lineage_of(sql) == {"doubled": ["posts.likes"], "both": ["posts.comments", "posts.likes"]}


def test_an_alias_that_shadows_its_own_input_ends() -> None:
    assert lineage_of("select coalesce(likes, 0) as likes from raw.posts") == {"likes": ["posts.likes"]}


def test_parameters_arrays_and_lambdas_of_clickhouse_are_read() -> None:
    sql = """
        select
            quantilesExactInclusiveIf(0.4, 0.6)(toFloat64(likes), likes > 0) as limits,
            arrayMap(tag -> tag.1, groupArray((author, comments))) as tags
        from raw.posts
    """
    assert lineage_of(sql) == {"limits": ["posts.likes"], "tags": ["posts.author", "posts.comments"]}


@pytest.mark.parametrize("sql", ["select from where", "insert into raw.posts values (1)", ""])
def test_sql_that_is_not_understood_has_no_lineage(sql: str) -> None:
    assert column_lineage(sql, TABLES) == {}
