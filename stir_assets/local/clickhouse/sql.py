"""Just enough SQL lexing to route a statement: what it is, where its data, FORMAT and SETTINGS clauses are.

The engine parses; this never rewrites anything but the clauses that carry input and output. Works on bytes,
because a query may hold strings that are not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_TOKEN = re.compile(
    rb"""(?P<space>(?:[\s\x00]|\xc2[\x85\xa0]|\xe1\xa0\x8e|\xe2\x80[\x80-\x8d\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]
                    |\xe3\x80\x80|\xef\xbb\xbf)+
                  |(?:--|//|\#[ !])[^\n]*)
       |(?P<comment>/\*)
       |(?P<string>'(?:[^'\\]|\\.|'')*(?:'|\Z)|\xe2\x80\x98.*?\xe2\x80\x99)
       |(?P<quoted>`(?:[^`\\]|\\.|``)*(?:`|\Z)|"(?:[^"\\]|\\.|"")*(?:"|\Z)|\xe2\x80\x9c.*?\xe2\x80\x9d)
       |(?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
       |(?P<word>[A-Za-z_][\w$]*)
       |(?P<number>\d[\w.]*)
       |(?P<punct>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(rb"/\*|\*/")

_WITH_OUTPUT = frozenset(
    {
        b"SHOW",
        b"DESCRIBE",
        b"DESC",
        b"EXPLAIN",
        b"EXISTS",
        b"CHECK",
        b"KILL",
        b"SELECT",
        b"WITH",
        b"FROM",
        b"(",
    }
)
_STREAMED = frozenset({b"SELECT", b"WITH", b"FROM", b"("})
_OPENING = frozenset({b"(", b"[", b"{"})
_CLOSING = frozenset({b")", b"]", b"}"})


class Kind(Enum):
    """How a statement has to be run."""

    STREAM = "stream"  # a SELECT: any size of result
    OUTPUT = "output"  # SHOW, EXPLAIN, KILL...: a small result
    COMMAND = "command"  # no result: DDL, SET, INSERT ... SELECT
    INSERT = "insert"  # INSERT whose rows follow the statement


@dataclass(frozen=True, slots=True)
class Token:
    """One lexeme: its kind (group name of the lexer), its text in upper case for words, its place."""

    kind: str
    text: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT with rows behind it: `head` up to the columns, `settings` clause, input format, data offset.

    `source` is None for `INSERT INTO t FORMAT X`, else the text of a SELECT that reads `input(...)`.
    """

    head: bytes
    settings: bytes
    fmt: bytes
    data_start: int
    input_span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What the router needs to know about one statement."""

    kind: Kind
    word: bytes
    insert: Insert | None = None
    needs_more: bool = False


def tokens(sql: bytes, start: int = 0) -> Iterator[Token]:
    """Lexemes of `sql` without spaces and comments."""
    at = start
    while match := _TOKEN.match(sql, at):
        at = match.end()
        kind = match.lastgroup or "punct"
        if kind == "comment":
            at = _comment_end(sql, at)
        elif kind != "space":
            text = match.group()
            kind = "heredoc" if kind == "tag" else kind
            yield Token(kind, text.upper() if kind == "word" else text, match.start(), at)


def _comment_end(sql: bytes, at: int) -> int:
    """Where the comment that opened before `at` ends; such comments nest."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(sql, at):
        depth += 1 if mark.group() == b"/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)


def classify(sql: bytes, *, complete: bool = True) -> Statement:
    """Route `sql`. With `complete=False` it is only the beginning of a request body; `needs_more` asks for more."""
    stream = tokens(sql)
    first = next(stream, None)
    if first is None:
        return Statement(Kind.COMMAND, b"", needs_more=not complete)
    if first.kind == "word" and first.text == b"INSERT":
        return _classify_insert(sql, stream, complete=complete)
    word = first.text
    if word == b"WITH" and (into := _insert_behind_with(sql, first.end)):
        return _classify_insert(sql, tokens(sql, into), complete=complete)
    if word in _STREAMED:
        kind = Kind.STREAM
    elif word in _WITH_OUTPUT:
        kind = Kind.OUTPUT
    else:
        kind = Kind.COMMAND
    return Statement(kind, word, needs_more=not complete)


def _insert_behind_with(sql: bytes, at: int) -> int | None:
    """Where `WITH ... INSERT INTO` goes on; None if the WITH belongs to a SELECT."""
    depth = 0
    previous = b""
    for token in tokens(sql, at):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and token.text == b"INTO" and previous == b"INSERT":
            return token.end
        previous = token.text
    return None


def _classify_insert(sql: bytes, stream: Iterator[Token], *, complete: bool) -> Statement:  # noqa: C901 - one grammar
    """Find where the rows of an INSERT begin, if it has any."""
    depth = 0
    settings_at: int | None = None
    previous: Token | None = None
    target_seen = False
    for token in stream:
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
        elif depth == 0 and token.kind == "word" and not (previous and previous.text == b"."):
            if not target_seen:
                # INSERT INTO TABLE FUNCTION name: any name may be a word that is a keyword elsewhere.
                target_seen = token.text not in (b"INTO", b"TABLE", b"FUNCTION")
            elif token.text == b"SETTINGS":
                settings_at = token.start
            elif token.text == b"VALUES":
                head, settings = _split(sql, settings_at, token.start)
                return _insert(Insert(head, settings, b"Values", token.end), sql, complete)
            elif token.text == b"FORMAT":
                name = next(stream, None)
                if name is None or (not complete and name.end == len(sql)):
                    return Statement(Kind.COMMAND, b"INSERT", needs_more=not complete)
                head, settings = _split(sql, settings_at, token.start)
                fmt = sql[name.start : name.end]
                return _insert(Insert(head, settings, fmt, _data_start(sql, name.end)), sql, complete)
            elif token.text in (b"SELECT", b"WITH", b"FROM", b"WATCH", b"EXPLAIN"):
                return _classify_insert_select(sql, token, complete=complete)
        elif depth == 0 and token.kind in ("quoted", "string"):
            target_seen = True
        previous = token
        if depth == 1 and token.text == b"(" and _opens_select(sql, token.end):
            return _classify_insert_select(sql, token, complete=complete)
    return Statement(Kind.COMMAND, b"INSERT", needs_more=not complete)


def _opens_select(sql: bytes, at: int) -> bool:
    following = next(tokens(sql, at), None)
    return following is not None and following.text in (b"SELECT", b"WITH")


def _insert(insert: Insert, sql: bytes, complete: bool) -> Statement:
    # Where only spaces are left in the window, the line feed that ends the statement may not have arrived.
    more = not complete and not sql[insert.data_start :]
    return Statement(Kind.INSERT, b"INSERT", insert, needs_more=more)


def _split(sql: bytes, settings_at: int | None, end: int) -> tuple[bytes, bytes]:
    if settings_at is None:
        return sql[:end].rstrip(), b""
    return sql[:settings_at].rstrip(), sql[settings_at:end].rstrip()


def _data_start(sql: bytes, at: int) -> int:
    """Rows start after the first line feed behind the format's name, else after the spaces behind it."""
    end = len(sql)
    while at < end and sql[at] in b" \t\f":
        at += 1
    if at < end and sql[at] == 13:
        at += 1
    if at < end and sql[at] == 10:
        at += 1
    return at


def _classify_insert_select(sql: bytes, select: Token, *, complete: bool) -> Statement:
    """INSERT ... SELECT; one that reads `input('structure')` takes rows behind its FORMAT clause."""
    called: tuple[int, int] | None = None
    depth = 0
    previous: Token | None = None
    stream = tokens(sql, select.start)
    for token in stream:
        if token.text == b"(":
            depth += 1
            if previous is not None and previous.text == b"INPUT":
                called = (previous.start, token.end)
        elif token.text == b")":
            depth -= 1
        elif token.text == b"FORMAT" and token.kind == "word" and depth == 0 and called is not None:
            name = next(stream, None)
            if name is None:
                break
            data_start = _data_start(sql, name.end)
            fmt = sql[name.start : name.end]
            insert = Insert(sql[: token.start].rstrip(), b"", fmt, data_start, called)
            return _insert(insert, sql, complete)
        previous = token
    return Statement(Kind.COMMAND, b"INSERT", needs_more=not complete)


@dataclass(frozen=True, slots=True)
class OutputClauses:
    """The end of a query: text before FORMAT, the format's name or None, what follows it (SETTINGS)."""

    body: bytes
    fmt: bytes | None
    tail: bytes
    into_outfile: bool


def output_clauses(sql: bytes) -> OutputClauses:
    """Split the FORMAT clause off the end of a query and drop the semicolon behind it."""
    upper = sql.upper()
    if b"FORMAT" not in upper and b"OUTFILE" not in upper and b";" not in sql:
        return OutputClauses(sql, None, b"", False)
    depth = 0
    found: Token | None = None
    name: Token | None = None
    outfile = False
    end = 0  # behind the last lexeme that is no semicolon
    previous: Token | None = None
    for token in tokens(sql):
        if token.text != b";":
            end = token.end
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth -= 1
        elif (
            depth == 0
            and previous is not None
            and previous.text == b"FORMAT"
            and token.kind in ("word", "quoted")
        ):
            found, name = previous, token
        elif depth == 0 and token.text == b"OUTFILE" and previous is not None and previous.text == b"INTO":
            outfile = True
        previous = token
    if found is None or name is None or not _ends_query(sql, name.end, end):
        return OutputClauses(sql[:end], None, b"", outfile)
    return OutputClauses(sql[: found.start], sql[name.start : name.end], sql[name.end : end], outfile)


def _ends_query(sql: bytes, at: int, end: int) -> bool:
    following = next((token for token in tokens(sql[:end], at)), None)
    return following is None or following.text in (b"SETTINGS", b";")


def quote(value: str) -> str:
    """`value` as a ClickHouse string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """`name` as a ClickHouse identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
