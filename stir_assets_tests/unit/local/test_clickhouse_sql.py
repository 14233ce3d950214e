"""The lexer in front of the engine: what a statement is, and where its rows and its FORMAT are."""

from __future__ import annotations

import pytest

from stir_assets.local.clickhouse.sql import Kind, classify, output_clauses, tokens

SPACES = "\u0085\u00a0\u180e\u2000\u200b\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"


def lexemes(sql: str) -> list[str]:
    return [token.text.decode() for token in tokens(sql.encode())]


@pytest.mark.parametrize("space", SPACES)
def test_every_space_of_unicode_that_clickhouse_knows_separates(space: str) -> None:
    assert lexemes(f"select{space}13;{space}") == ["SELECT", "13", ";"]


@pytest.mark.parametrize(
    "comment",
    ["-- it's", "// it's", "# it's", "#! it's", "/* it's */", "/* a /* it's */ b */", "/**/", "/* -- */"],
)
def test_comments_vanish_whatever_is_in_them(comment: str) -> None:
    assert lexemes(f"select {comment}\n 'x'") == ["SELECT", "'x'"]


@pytest.mark.parametrize(
    "literal",
    [
        "'a''b'",
        r"'a\'b -- '",
        "`a``b`",
        '"a""b"',
        "$$it's$$",
        "$t$ $$ it's $t$",
        "\u2018a; \u2019",
        "\u201cb\u201d",
    ],
)
def test_a_literal_is_one_lexeme(literal: str) -> None:
    assert lexemes(f"select {literal} as a$1") == ["SELECT", literal, "AS", "A$1"]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1", Kind.STREAM),
        ("(select 1) union all (select 2)", Kind.STREAM),
        ("with insert as (select 1) select * from insert", Kind.STREAM),
        ("with ' INSERT INTO ' as value select value", Kind.STREAM),
        ("with {INSERT:Int32} as into select into", Kind.STREAM),
        ("show tables", Kind.OUTPUT),
        ("/* c */ create table t (a Int8) engine = Memory", Kind.COMMAND),
        ("insert into t select 1", Kind.COMMAND),
        ("with x as (select 1) insert into t select * from x", Kind.COMMAND),
        ("insert into t values (1)", Kind.INSERT),
        ("insert into t (format, values) format CSV 1,2", Kind.INSERT),
        ("insert into db.values format CSV 1", Kind.INSERT),
    ],
)
def test_a_statement_is_told_by_its_words(sql: str, kind: Kind) -> None:
    assert classify(sql.encode()).kind is kind


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("insert into t format TSV\n1;\n", b"1;\n"),
        ("insert into t format TSV 1;\n", b"1;\n"),
        ("insert into t format TSV\n\n1", b"\n1"),
        ("insert into t settings async_insert = 0 format CSV\r\n1", b"1"),
        ("with {SELECT:Int32} as x insert into t (s) format TSV\nvalue;\n", b"value;\n"),
        ("with 1 as y insert into t values (2)", b" (2)"),
    ],
)
def test_the_rows_of_an_insert_begin_behind_its_format(sql: str, rows: bytes) -> None:
    insert = classify(sql.encode()).insert
    assert insert is not None
    assert sql.encode()[insert.data_start :] == rows


@pytest.mark.parametrize("upto", range(1, 40))
def test_a_part_of_an_insert_asks_for_more_or_is_already_right(upto: int) -> None:
    sql = b"insert into t (a) format TabSeparated\n1\n2\n"
    found = classify(sql[:upto], complete=False)
    if not found.needs_more:
        assert found.insert is not None
        assert (found.insert.fmt, found.insert.data_start) == (b"TabSeparated", 38)


@pytest.mark.parametrize(
    ("sql", "body", "fmt"),
    [
        ("select 13;", "select 13", None),
        ("select 13;\u00a0", "select 13", None),
        ("select 13; /* inner; */ ;", "select 13", None),
        ("select ';' -- ;", "select ';'", None),
        ("select 1 format CSV;", "select 1 ", "CSV"),
        ("select 1\n format Native -- bye", "select 1\n ", "Native"),
        ("select format from (select 1 as format)", "select format from (select 1 as format)", None),
    ],
)
def test_semicolons_and_the_format_come_off_the_end(sql: str, body: str, fmt: str | None) -> None:
    found = output_clauses(sql.encode())
    assert found.fmt == (fmt.encode() if fmt else None)
    assert found.body.decode() == body
