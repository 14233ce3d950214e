"""Mode `rename`: the version takes the table's name in one transaction; the old one becomes the previous version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from psycopg import sql

from stir_assets.publish import carry, ddl
from stir_assets.publish.postgres import qualified, raw

Statistics = Sequence[tuple[str, str, str]]


def move_out(
    schema: str, table: str, private: str, captured: carry.Captured, old_version: str
) -> Iterator[sql.Composed]:
    """The live table leaves for the private schema; names of its indexes and statistics come free."""
    for index in captured["indexes"]:
        yield renamed("index", schema, index["name"], ddl.versioned(index["name"], old_version))
    for item in captured["statistics"]:
        yield renamed("statistics", item["schema"], item["name"], ddl.versioned(item["name"], old_version))
    yield renamed("table", schema, table, old_version)
    yield sql.SQL("alter table {} set schema {}").format(
        qualified(schema, old_version), sql.Identifier(private)
    )
    for item in captured["statistics"]:
        name = ddl.versioned(item["name"], old_version)
        if item["schema"] != private:
            yield sql.SQL("alter statistics {} set schema {}").format(
                qualified(item["schema"], name), sql.Identifier(private)
            )


def bring_in(
    schema: str, table: str, private: str, version: str, names: Mapping[str, str], statistics: Statistics
) -> Iterator[sql.Composed]:
    """The version takes the table's name, its indexes and statistics their public ones."""
    yield sql.SQL("alter table {} set schema {}").format(qualified(private, version), sql.Identifier(schema))
    yield renamed("table", schema, version, table)
    for public, name in names.items():
        yield renamed("index", schema, name, public)
    for home, public, name in statistics:
        if home != private:
            yield sql.SQL("alter statistics {} set schema {}").format(
                qualified(private, name), sql.Identifier(home)
            )
        yield renamed("statistics", home, name, public)


def renamed(kind: str, schema: str, name: str, new: str) -> sql.Composed:
    """ALTER ... RENAME TO."""
    return sql.SQL("alter {} {} rename to {}").format(raw(kind), qualified(schema, name), sql.Identifier(new))


def recorded_names(captured: carry.Captured, old_version: str) -> dict[str, str]:
    """Public name -> private name of the old version's indexes, for a way back."""
    return {index["name"]: ddl.versioned(index["name"], old_version) for index in captured["indexes"]}
