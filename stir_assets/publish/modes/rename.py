"""Mode `rename`: the version takes the table's name in one transaction; the old one becomes the previous version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from psycopg import sql

from stir_assets.publish import carry, ddl, swap
from stir_assets.publish.postgres import Connection, qualified, raw
from stir_assets.publish.preflight import Live

Statistics = Sequence[tuple[str, str, str]]


def script(
    *,
    schema: str,
    table: str,
    private: str,
    version: str,
    names: Mapping[str, str],
    statistics: Statistics,
    live: Live | None,
    old_version: str,
    check: sql.Composed | None,
) -> list[sql.Composed]:
    """The statements of a cut-over, without fence and bookkeeping, in the order their locks must be taken.

    Views are locked outermost first and before the table: a reader of a view locks in that order, and the other
    one deadlocks with it. `check` runs once the locks are held. With `live` None the version just takes the name.
    """
    if live is None:
        return [*_bring_in(schema, table, private, version, names, statistics)]
    here = qualified(schema, table)
    views = carry.views_outermost_first(live.captured)
    return [
        *(sql.SQL("lock table {} in access exclusive mode").format(qualified(*view)) for view in views),
        sql.SQL("lock table {} in access exclusive mode").format(here),
        *([check] if check is not None else []),
        *_move_out(schema, table, private, live.captured, old_version),
        *_bring_in(schema, table, private, version, names, statistics),
        *carry.move_publications(live.captured, qualified(private, old_version), here),
        *carry.rebind(live.captured),
    ]


def _move_out(
    schema: str, table: str, private: str, captured: carry.Captured, old_version: str
) -> Iterator[sql.Composed]:
    for index in captured["indexes"]:
        yield _rename("index", schema, index["name"], ddl.versioned(index["name"], old_version))
    for item in captured["statistics"]:
        yield _rename("statistics", item["schema"], item["name"], ddl.versioned(item["name"], old_version))
    yield _rename("table", schema, table, old_version)
    yield sql.SQL("alter table {} set schema {}").format(
        qualified(schema, old_version), sql.Identifier(private)
    )
    for item in captured["statistics"]:
        name = ddl.versioned(item["name"], old_version)
        if item["schema"] != private:
            yield sql.SQL("alter statistics {} set schema {}").format(
                qualified(item["schema"], name), sql.Identifier(private)
            )


def _bring_in(
    schema: str, table: str, private: str, version: str, names: Mapping[str, str], statistics: Statistics
) -> Iterator[sql.Composed]:
    yield sql.SQL("alter table {} set schema {}").format(qualified(private, version), sql.Identifier(schema))
    yield _rename("table", schema, version, table)
    for public, name in names.items():
        yield _rename("index", schema, name, public)
    for home, public, name in statistics:
        if home != private:
            yield sql.SQL("alter statistics {} set schema {}").format(
                qualified(private, name), sql.Identifier(home)
            )
        yield _rename("statistics", home, name, public)


def _rename(kind: str, schema: str, name: str, new: str) -> sql.Composed:
    return sql.SQL("alter {} {} rename to {}").format(raw(kind), qualified(schema, name), sql.Identifier(new))


def recorded_names(captured: carry.Captured, old_version: str) -> dict[str, str]:
    """Public name -> private name of the old version's indexes, for a way back."""
    return {index["name"]: ddl.versioned(index["name"], old_version) for index in captured["indexes"]}


def guard(connection: Connection, live: Live) -> sql.Composed:
    """A statement that fails the swap when the live table's dependents changed since they were captured."""
    query = carry.fingerprint_query(live.oid)
    row = connection.execute(sql.SQL("select {}").format(query)).fetchone()
    assert row is not None  # noqa: S101 - a select without FROM has one row
    return swap.unchanged(query, row[0])
