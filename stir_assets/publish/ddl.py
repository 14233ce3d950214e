"""Statements that make a version of a table: names, CREATE TABLE, indexes, comments, owner, grants."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import sql

from stir_assets.publish.postgres import qualified, raw
from stir_assets.publish.target import NAME_BYTES, Column, Index, Target

_PLAIN = re.compile(r"[^\W\d]\w*", re.UNICODE)


def digest(*parts: object) -> str:
    """13 characters that are unique to the parts."""
    return b32encode(hashlib.sha256("\0".join(map(str, parts)).encode()).digest())[:13].decode().lower()


def shortened(name: str, most: int = NAME_BYTES) -> str:
    """A name of at most `most` bytes; a longer one ends in a digest so that two never become one."""
    if len(name.encode()) <= most:
        return name
    cut = name.encode()[: most - 9].decode(errors="ignore")
    return f"{cut}_{digest(name)[:8]}"


def version_name(target: Target, run_id: str, attempt: int) -> str:
    """The private name of a version: readable, and unique to target, run and attempt."""
    cut = target.table.encode()[:40].decode(errors="ignore")
    return f"{cut}__v{digest(target.name, run_id, attempt)}"


def pointer_name(target: str, table: str, columns: Iterable[tuple[str, str]]) -> str:
    """The private name of the function, and of its row type, that a pointer with these columns reads through."""
    cut = table.encode()[:40].decode(errors="ignore")
    return f"{cut}__p{digest(target, *(part for column in columns for part in column))}"


def versioned(name: str, version: str) -> str:
    """The name an index or constraint has while its table is not the live one."""
    suffix = "__" + version.rsplit("__v", 1)[-1]
    return shortened(name, NAME_BYTES - len(suffix)) + suffix


@dataclass(frozen=True)
class BuiltIndex:
    """An index to make: its public name, and SQL for it under a name and on a table still to be filled in."""

    name: str
    unique: bool
    constraint: str | None  # 'p' primary key, 'u' unique constraint, None a plain index
    index: Index


def indexes(target: Target) -> list[BuiltIndex]:
    """Every declared index with the name it will have in public."""
    found: list[BuiltIndex] = []
    if target.primary_key:
        found.append(
            BuiltIndex(shortened(f"{target.table}_pkey"), True, "p", Index(target.primary_key, unique=True))
        )
    if target.unique_key:
        name = shortened(f"{target.table}_{'_'.join(target.unique_key)}_key")
        found.append(BuiltIndex(name, True, "u", Index(target.unique_key, unique=True)))
    for index in target.indexes:
        parts = "_".join(re.sub(r"\W+", "_", column).strip("_") for column in index.columns)
        name = index.name or shortened(f"{target.table}_{parts}_{'key' if index.unique else 'idx'}")
        found.append(BuiltIndex(name, index.unique, None, index))
    return found


def create_table(
    target: Target, schema: str, name: str, *, kind: Literal["", "temporary", "unlogged"] = ""
) -> sql.Composed:
    """CREATE TABLE with types, NOT NULL, defaults and CHECKs. A temporary or unlogged one is a workplace: it has
    none of the constraints."""
    columns = [_column(target, column, constraints=not kind) for column in target.columns]
    if not kind:
        columns += [
            sql.SQL("constraint {} check ({})").format(sql.Identifier(check), raw(expression))
            for check, expression in target.check_constraints.items()
        ]
    storage = sql.SQL("")
    if target.storage and not kind:
        options = [sql.SQL("{} = {}").format(raw(key), raw(value)) for key, value in target.storage.items()]
        storage = sql.SQL(" with ({})").format(sql.SQL(", ").join(options))
    place = sql.Identifier(name) if kind == "temporary" else qualified(schema, name)
    return sql.SQL("create {} table {} ({}){}").format(raw(kind), place, sql.SQL(", ").join(columns), storage)


def _column(target: Target, column: Column, *, constraints: bool) -> sql.Composed:
    text = sql.SQL("{} {}").format(sql.Identifier(column.name), raw(column.pg_type))
    if column.default is not None:
        text += sql.SQL(" default {}").format(raw(column.default))
    if constraints and (not column.nullable or column.name in target.primary_key):
        # By name, because PostgreSQL 18 keeps one, and would make it of the version's.
        name = shortened(f"{target.table}_{column.name}_not_null")
        text += sql.SQL(" constraint {} not null").format(sql.Identifier(name))
    return text


def create_index(built: BuiltIndex, name: str, schema: str, table: str) -> sql.Composed:
    """CREATE INDEX under a given name."""
    index = built.index
    columns = sql.SQL(", ").join(_index_column(column) for column in index.columns)
    text = sql.SQL("create {}index {} on {} using {} ({})").format(
        sql.SQL("unique ") if built.unique else sql.SQL(""),
        sql.Identifier(name),
        qualified(schema, table),
        sql.Identifier(index.method),
        columns,
    )
    if index.include:
        text += sql.SQL(" include ({})").format(sql.SQL(", ").join(map(sql.Identifier, index.include)))
    if index.where:
        text += sql.SQL(" where {}").format(raw(index.where))
    return text


def _index_column(text: str) -> sql.Composable:
    """A plain name is quoted; an expression or 'name desc' is the declaration's own SQL."""
    if _PLAIN.fullmatch(text):
        return sql.Identifier(text)
    name, _, order = text.partition(" ")
    if _PLAIN.fullmatch(name) and re.fullmatch(
        r"(asc|desc)?\s*(nulls\s+(first|last))?", order.strip(), re.IGNORECASE
    ):
        return sql.SQL("{} {}").format(sql.Identifier(name), raw(order))
    return raw(text)


def add_constraint(built: BuiltIndex, index_name: str, schema: str, table: str) -> sql.Composed:
    """Make a built unique index the primary key or a unique constraint; the constraint takes the index's name."""
    kind = sql.SQL("primary key") if built.constraint == "p" else sql.SQL("unique")
    return sql.SQL("alter table {} add constraint {} {} using index {}").format(
        qualified(schema, table), sql.Identifier(index_name), kind, sql.Identifier(index_name)
    )


def comments(target: Target, schema: str, table: str) -> Iterable[sql.Composed]:
    """COMMENTs on the table and its columns."""
    if target.comment:
        yield sql.SQL("comment on table {} is {}").format(
            qualified(schema, table), sql.Literal(target.comment)
        )
    for column in target.columns:
        if column.description:
            yield sql.SQL("comment on column {} is {}").format(
                sql.Identifier(schema, table, column.name), sql.Literal(column.description)
            )


def grants(target: Target, place: sql.Composable) -> Iterable[sql.Composed]:
    """The declared privileges, for a relation that has none yet."""
    for grant in target.grants:
        yield sql.SQL("grant {} on {} to {}").format(
            sql.SQL(", ").join(map(raw, grant.privileges)),
            place,
            sql.SQL("public") if grant.role == "public" else sql.Identifier(grant.role),
        )


def missing_comments(target: Target, kind: str, now: Mapping[str, Any] | None) -> Iterable[sql.Composed]:
    """COMMENTs that the live relation (`kind` is 'table' or 'view', `now` its capture) does not have as declared."""
    found = {column["name"]: column["comment"] for column in now["attributes"]} if now else {}
    if target.comment and (now is None or now["table"]["comment"] != target.comment):
        yield sql.SQL("comment on {} {} is {}").format(
            raw(kind), qualified(target.schema, target.table), sql.Literal(target.comment)
        )
    for column in target.columns:
        if column.description and found.get(column.name) != column.description:
            yield sql.SQL("comment on column {} is {}").format(
                sql.Identifier(target.schema, target.table, column.name), sql.Literal(column.description)
            )


def contract(target: Target, formatted_types: Mapping[str, str]) -> list[list[str | bool]]:
    """The columns as readers see them: name, type as PostgreSQL prints it, nullability."""
    return [
        [column.name, formatted_types[column.name], column.nullable and column.name not in target.primary_key]
        for column in target.columns
    ]
