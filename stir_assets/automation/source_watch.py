"""What is new in the source tables: noticed by their parts, dated by their newest event.

Two queries a look, however many tables: one on `system.parts` for all, which costs a few milliseconds, and one
UNION ALL over the event-time columns of the tables whose parts changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client

from stir_assets.automation.data_times import FUTURE_ALLOWED_SECONDS, data_time_metadata

DATA_VERSION = "dagster/data_version"
# Block numbers only grow with inserts, and merges keep them; a mutation is the fifth part of a part's name.
# A merge alone therefore is no news.
_PARTS = """
select concat(database, '/', table) as key, sum(newest) as blocks, max(version) as versions,
       count() as partitions, sum(rows_here) as row_count
from (
    select database, table, partition_id, sum(rows) as rows_here, max(max_block_number) as newest,
           max(toUInt64OrZero(splitByChar('_', name)[5])) as version
    from system.parts
    where active and rows > 0 and (database, table) in ({tables})
    group by database, table, partition_id
)
group by key
"""
# Engines without parts, such as views: no fingerprint, so their events are asked each time.
_OTHERS = """
select concat(database, '/', name), engine, total_rows, toUnixTimestamp(metadata_modification_time)
from system.tables
where (database, name) in ({tables}) and engine not like '%MergeTree'
"""


@dataclass(frozen=True)
class Seen:
    """What was found of one source. `again` asks for its events also when its parts stay the same."""

    fingerprint: str
    rows: int
    newest: float | None = None
    again: bool = False

    @property
    def version(self) -> str:
        """Data version: changes when rows came, went or changed."""
        text = f"{self.fingerprint}|{self.newest}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def look(
    client: Client, sources: Sequence[str], event_columns: Mapping[str, str], before: Mapping[str, Seen]
) -> dict[str, Seen]:
    """The sources as they are now, by `schema/table`; absent and empty tables are left out.

    `before` is the last look. Events from more than five minutes ahead say nothing of how fresh a table is and
    are left out; they count once their time has come.
    """
    prints = _fingerprints(client, sources)
    asked = [
        key
        for key, found in prints.items()
        if key in event_columns
        and (key not in before or before[key].again or before[key].fingerprint != found.fingerprint)
    ]
    newest = _newest_events(client, {key: event_columns[key] for key in asked})
    result = {}
    for key, found in prints.items():
        if key in newest:
            event, ahead = newest[key]
            result[key] = Seen(found.fingerprint, found.rows, event, again=found.again or ahead)
        elif key in before and key in event_columns:
            result[key] = before[key]
        else:
            result[key] = found
    return result


class SourceWatch:
    """Looks at `sources` (`schema/table`) again and again; `event_columns` dates those that have one.

    What it saw last is kept in memory. A new process goes by the versions that were recorded, so that a restart
    reports nothing twice.
    """

    def __init__(self, sources: Sequence[str], event_columns: Mapping[str, str]) -> None:
        self._sources, self._event_columns = list(sources), dict(event_columns)
        self._seen: dict[str, Seen] | None = None

    def report(self, client: Client, instance: dg.DagsterInstance) -> list[str]:
        """Reports each source that changed as an event of its asset; which ones."""
        now = look(client, self._sources, self._event_columns, self._seen or {})
        if self._seen is None:
            known = self._recorded(instance)
            changed = sorted(key for key, seen in now.items() if known.get(key) != seen.version)
        else:
            changed = changes(self._seen, now)
        for key in changed:
            instance.report_runless_asset_event(event_of(key, now[key]))
        # Only now: what could not be reported is still news at the next look.
        self._seen = now
        return changed

    def _recorded(self, instance: dg.DagsterInstance) -> dict[str, str]:
        keys = [dg.AssetKey.from_user_string(key) for key in self._sources]
        found = {}
        for record in instance.get_asset_records(keys):
            last = record.asset_entry.last_materialization_record
            if last is not None and last.asset_materialization is not None:
                tags = last.asset_materialization.tags or {}
                found[record.asset_entry.asset_key.to_user_string()] = tags.get(DATA_VERSION, "")
        return found


def changes(before: Mapping[str, Seen], now: Mapping[str, Seen]) -> list[str]:
    """Sources whose data is not what it was, by name."""
    return sorted(
        key for key, seen in now.items() if key not in before or before[key].version != seen.version
    )


def event_of(key: str, seen: Seen) -> dg.AssetMaterialization:
    """The observation as the event that planner, Dagster's policies and the UI go by.

    A materialization, because Dagster's freshness does not count observations.
    """
    return dg.AssetMaterialization(
        asset_key=dg.AssetKey.from_user_string(key),
        metadata={"dagster/row_count": seen.rows, **data_time_metadata(seen.newest)},
        tags={DATA_VERSION: seen.version},
    )


def _fingerprints(client: Client, sources: Iterable[str]) -> dict[str, Seen]:
    # Names of our own declarations, quoted all the same.
    tables = ", ".join(
        "({}, {})".format(*(_literal(part) for part in key.split("/")[-2:])) for key in sorted(sources)
    )
    if not tables:
        return {}
    found = {
        key: Seen(f"{blocks}-{versions}-{partitions}", int(rows))
        for key, blocks, versions, partitions, rows in client.query(
            _PARTS.replace("{tables}", tables)
        ).result_rows
    }
    for key, engine, rows, changed in client.query(_OTHERS.replace("{tables}", tables)).result_rows:
        found[key] = Seen(f"{engine}-{rows}-{changed}", int(rows or 0), again=True)
    return found


def _newest_events(client: Client, columns: Mapping[str, str]) -> dict[str, tuple[float | None, bool]]:
    """Newest event up to five minutes ahead, and whether there are later ones."""
    if not columns:
        return {}
    parts = []
    for key, column in sorted(columns.items()):
        schema, table = key.split("/")[-2:]
        name = quote_identifier(column)
        parts.append(
            f"select {_literal(key)} as key, toUnixTimestamp(maxOrNullIf({name}, {name} <= edge)) as newest, "  # noqa: S608
            f"max({name}) > edge as ahead from {quote_identifier(schema)}.{quote_identifier(table)}"
        )
    query = f"with now() + {FUTURE_ALLOWED_SECONDS} as edge {' union all '.join(parts)}"
    return {
        key: (float(newest) if newest else None, bool(ahead))
        for key, newest, ahead in client.query(query).result_rows
    }


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
