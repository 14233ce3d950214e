"""Figures of all watched sources in one query.

Cheap by where it looks: events of the future by the bounds of partitions, late rows by the index on the time of
arrival, volumes once an hour and only of the five hours that are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.client import Client

from stir_assets.core.source_health.judge import SourceFacts
from stir_assets.core.source_health.terms import WatchTerms

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * 24 * HOUR
_WEEKS = 4
# An hour is counted when it is over for this long: rows of its end are still on their way before.
_SETTLED = 900


def full_hour(now: float) -> int:
    """Beginning of the last hour that is over and settled at `now`."""
    return int((now - _SETTLED) // HOUR - 1) * HOUR


def read_sources(
    client: Client, sources: Iterable[WatchTerms], now: float, *, volumes: bool = True
) -> dict[str, SourceFacts]:
    """Figures of each source at `now`, by key; an absent table is an error of ClickHouse's.

    `volumes`: count the last full hour too, which needs looking at only once an hour.
    """
    watched = {terms.key: terms for terms in sources}
    hour = full_hour(now)
    parts = []
    for terms in watched.values():
        parts.append(_ahead(terms))
        if terms.arrival:
            parts.append(_late(terms))
        if volumes and terms.low is not None:
            parts.append(_volume(terms, hour))
    facts: dict[str, SourceFacts] = {key: SourceFacts() for key in watched}
    if not parts:
        return facts
    query = f"with toDateTime({int(now)}) as clock\n" + "\nunion all\n".join(parts)
    for key, measure, values in client.query(query).result_rows:
        facts[key] = _with(facts[key], measure, values, hour)
    return facts


def missing_tables(client: Client, sources: Iterable[WatchTerms]) -> set[str]:
    """Keys of sources whose table is not there."""
    keys = {terms.key for terms in sources}
    rows = client.query(
        "select concat(database, '/', name) from system.tables where concat(database, '/', name) in {keys:Array(String)}",
        parameters={"keys": sorted(keys)},
    ).result_rows
    return keys - {row[0] for row in rows}


def _with(facts: SourceFacts, measure: str, values: list[float], hour: int) -> SourceFacts:
    if measure == "ahead":
        rows, furthest = values
        return replace(facts, rows_ahead=int(rows), furthest_ahead=furthest if rows else 0.0)
    if measure == "late":
        rows, p95 = values
        return replace(facts, arrived=int(rows), late_p95=p95 if rows else None)
    counts = [int(count) for count in values]
    return replace(facts, hour=float(hour), later=counts[0], rows=counts[1], weeks=tuple(counts[2:]))


def _ahead(terms: WatchTerms) -> str:
    column = quote_identifier(terms.column)
    where = f"{column} > clock + {int(terms.ahead.total_seconds())}"
    if terms.arrival:
        # A wrong event stays in the table until its time has come; that its clock was wrong is news for a day.
        where += f" and {quote_identifier(terms.arrival)} > clock - {DAY}"
    return (
        f"select {_text(terms.key)} as key, 'ahead' as measure, "  # noqa: S608 - names of our own declarations, quoted
        f"[toFloat64(count()), toFloat64(max(toDateTime({column}))) - toUnixTimestamp(clock)] as figures "
        f"from {_table(terms)} where {where}"
    )


def _late(terms: WatchTerms) -> str:
    column, arrival = quote_identifier(terms.column), quote_identifier(terms.arrival or "")
    return (
        f"select {_text(terms.key)}, 'late', [toFloat64(count()), "  # noqa: S608
        f"ifNotFinite(quantile(0.95)(greatest(0, dateDiff('second', {column}, {arrival}))), 0)] "
        f"from {_table(terms)} where {arrival} > clock - {HOUR} and {arrival} <= clock"
    )


def _volume(terms: WatchTerms, hour: int) -> str:
    column = quote_identifier(terms.counts_by)
    starts = [hour - week * WEEK for week in range(_WEEKS + 1)]
    # Of rows that are replaced, what was changed since says whether the data has come so far.
    reached = quote_identifier(terms.column) if terms.created else column
    later = f"{reached} >= toDateTime({hour + HOUR}) and {reached} <= clock"
    hours = [f"{column} >= toDateTime({start}) and {column} < toDateTime({start + HOUR})" for start in starts]
    # Several versions of a row are there until the engine has merged them.
    rows = ", ".join(map(quote_identifier, terms.identity))
    counted = [f"uniqExactIf(({rows}), {each})" if rows else f"countIf({each})" for each in hours]
    counts = ", ".join(f"toFloat64({each})" for each in (f"countIf({later})", *counted))
    where = " or ".join(f"({condition})" for condition in (later, *hours))
    return f"select {_text(terms.key)}, 'volume', [{counts}] from {_table(terms)} where {where}"  # noqa: S608


def _table(terms: WatchTerms) -> str:
    return ".".join(quote_identifier(part) for part in terms.key.split("/")[-2:])


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
