"""A frozen table in ClickHouse to export from, so that many queries read one snapshot.

A MergeTree table is cloned: its parts are hard links, so a clone takes milliseconds and no space. Any other
relation is written out once. Rows are then addressed by their position, which ClickHouse prunes by, so a slice
reads only its own granules, and the count of every slice is known before it is exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stir_assets.publish.clickhouse import ClickHouse, identifier, string
from stir_assets.publish.errors import ContractError, ExportFailed, IncompleteExport
from stir_assets.publish.target import TableSource

POSITION = "_part_starting_offset + _part_offset"
_GRANULE = 8192  # ClickHouse's default; another one only makes the cuts less than ideal
_RAMP = 8  # a full slice is counted in so many steps


@dataclass(frozen=True)
class Slice:
    """A run of positions of the frozen table: [start, stop) with `rows` rows that pass the condition."""

    number: int
    start: int
    stop: int
    rows: int


@dataclass(frozen=True)
class Snapshot:
    """The frozen table. `kind`: 'clone' (hard links) or 'copy' (the relation written out)."""

    database: str
    table: str
    kind: str
    where: str | None = None

    @property
    def relation(self) -> str:
        return f"{identifier(self.database)}.{identifier(self.table)}"


def relation_sql(source: str | TableSource, database: str | None) -> str:
    """The source as something that can stand after FROM."""
    if isinstance(source, TableSource):
        name = _full_name(source, database)
        condition = f" WHERE ({source.where})" if source.where else ""
        return f"(SELECT * FROM {name}{condition})"
    return f"({source.rstrip().rstrip(';')}\n)"


def take(
    clickhouse: ClickHouse,
    source: str | TableSource,
    *,
    database: str,
    name: str,
    source_database: str | None,
    query_id: str,
) -> Snapshot:
    """Freeze the relation as `database.name`. Raises the family of the ClickHouse error."""
    clickhouse.run(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}", f"making database {database}")
    if isinstance(source, TableSource) and _can_be_cloned(clickhouse, source, source_database):
        original = _full_name(source, source_database)
        made = Snapshot(database, name, "clone", source.where)
        try:
            clickhouse.run(f"CREATE TABLE {made.relation} CLONE AS {original}", f"cloning {original}")
            return made
        except ExportFailed:
            # Replicated engines and some disks cannot be cloned under another name; the copy below always works.
            drop(clickhouse, database, name)
    made = Snapshot(database, name, "copy")
    clickhouse.run(
        f"CREATE TABLE {made.relation} ENGINE = MergeTree ORDER BY tuple() "
        f"AS SELECT * FROM {relation_sql(source, source_database)}",
        "running the relation's SELECT",
        {"query_id": query_id},
    )
    return made


def drop(clickhouse: ClickHouse, database: str, name: str) -> None:
    """Remove a frozen table, now and not after the server's grace time."""
    clickhouse.run(
        f"DROP TABLE IF EXISTS {identifier(database)}.{identifier(name)} SYNC", f"dropping {database}.{name}"
    )


def leftovers(clickhouse: ClickHouse, database: str, prefix: str) -> list[str]:
    """Frozen tables of earlier runs of a target."""
    rows = clickhouse.rows(
        f"SELECT name FROM system.tables WHERE database = {string(database)} AND startsWith(name, {string(prefix)})",
        f"listing {database}",
    )
    return [row[0] for row in rows]


def slices(clickhouse: ClickHouse, snapshot: Snapshot, slice_bytes: int, most: int = 512) -> list[Slice]:
    """Cut the frozen table into slices of about `slice_bytes` uncompressed bytes, with the exact rows of each.

    The first slices are smaller, so that loading begins at once; cuts lie between granules, so that none is read twice.
    """
    total, size = clickhouse.rows(
        f"SELECT sum(rows), sum(data_uncompressed_bytes) FROM system.parts WHERE active "
        f"AND database = {string(snapshot.database)} AND table = {string(snapshot.table)}",
        "measuring the snapshot",
    )[0]
    total, size = int(total or 0), int(size or 0)
    if not total:
        return []
    full = max(-(-total // most), total * slice_bytes // max(size, 1), 1)
    share = max(full // _RAMP, 1)
    step = share if share < _GRANULE else -(-share // _GRANULE) * _GRANULE
    where = f" WHERE ({snapshot.where})" if snapshot.where else ""
    rows = clickhouse.rows(
        f"SELECT intDiv({POSITION}, {step}) AS step, count() FROM {snapshot.relation}{where} GROUP BY step ORDER BY step",
        "counting the snapshot",
    )
    return gathered([(int(n), int(count)) for n, count in rows], step, full)


def gathered(counts: Sequence[tuple[int, int]], step: int, full: int) -> list[Slice]:
    """Neighbouring steps (number, rows) as slices of at most about `full` rows, the first of them 1/8, 1/4 and 1/2 of that."""
    found: list[Slice] = []
    first, rows = -1, 0
    for number, count in counts:
        wanted = max(full >> max(_RAMP.bit_length() - 1 - len(found), 0), 1)
        if rows and rows + count > wanted:
            found.append(Slice(len(found), first * step, number * step, rows))
            first, rows = -1, 0
        first, rows = (number if first < 0 else first), rows + count
    if rows:
        found.append(Slice(len(found), first * step, (counts[-1][0] + 1) * step, rows))
    return found


def _can_be_cloned(clickhouse: ClickHouse, source: TableSource, database: str | None) -> bool:
    """Only a MergeTree table without pending mutations or patch parts is exactly its parts."""
    where = f"database = {_database(source, database)} AND {{}} = {string(source.table)}"
    found = clickhouse.rows(
        f"SELECT engine FROM system.tables WHERE {where.format('name')}", f"looking for {source.table}"
    )
    if not found:
        raise ContractError(
            f"{_full_name(source, database)} does not exist in ClickHouse; build the model first"
        )
    if not str(found[0][0]).endswith("MergeTree"):
        return False
    pending = clickhouse.rows(
        f"SELECT (SELECT count() FROM system.mutations WHERE NOT is_done AND {where.format('table')}) + "
        f"(SELECT count() FROM system.parts WHERE active AND startsWith(name, 'patch-') AND {where.format('table')})",
        "looking for pending mutations",
    )
    return int(pending[0][0]) == 0


def _full_name(source: TableSource, database: str | None) -> str:
    owner = source.database or database
    return f"{identifier(owner)}.{identifier(source.table)}" if owner else identifier(source.table)


def _database(source: TableSource, database: str | None) -> str:
    owner = source.database or database
    return string(owner) if owner else "currentDatabase()"


def check_total(expected: int, loaded: int, target: str) -> None:
    """Rows copied must equal rows frozen. Always."""
    if expected != loaded:
        raise IncompleteExport(
            f"{target}: {loaded} rows were loaded but {expected} exported; the publication was given up"
        )
