"""What a publication has to export, and how it gets to the live table: all rows or those since the watermark, by a
swap or by a merge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from stir_assets.publish.clickhouse_types import parse_type
from stir_assets.publish.errors import ContractError
from stir_assets.publish.live import Live
from stir_assets.publish.manifest import RunRow
from stir_assets.publish.modes import merge
from stir_assets.publish.snapshot import relation_sql
from stir_assets.publish.target import TableSource, Target

Way = Literal["swap", "merge", "delta"]
MERGING = ("diff", "upsert")
_TIMES = ("Date", "Date32", "DateTime", "DateTime64")
_NUMBERS = tuple(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))


@dataclass(frozen=True)
class Scope:
    """`way` is 'swap' (a new table), 'merge' (all rows, the differing ones merged) or 'delta' (only rows since the
    watermark `since`). `reason` says why a table with a merging mode is swapped."""

    way: Way
    source: str | TableSource
    since: int | None = None
    reason: str | None = None


def why_swap(
    target: Target, live: Live | None, run: RunRow | None, columns: tuple[tuple[str, str], ...], changed: bool
) -> str | None:
    """Why a table of a merging mode must be built anew this time; None when its rows can be merged."""
    if live is None:
        return "first publication"
    if live.is_pointer or run is None:
        return "the live relation is not a table made by Stir"
    if changed:
        return "columns change"
    if run.shape != merge.shape(target, columns):
        return "keys, indexes, defaults or constraints are declared anew"
    return None


def choose(target: Target, source: str | TableSource, run: RunRow | None, reason: str | None) -> Scope:
    """The scope of this publication, without looking at a row."""
    whole = source if target.tombstone is None else _where(source, f"NOT ifNull(({target.tombstone}), 0)")
    if target.mode not in MERGING or reason is not None or run is None:
        return Scope("swap", whole, reason=reason if target.mode in MERGING else None)
    if target.mode == "diff" or run.watermark is None or _due(target, run):
        return Scope("merge", whole)
    return Scope("delta", source, since=run.watermark)


def since(target: Target, scope: Scope, kinds: dict[str, str], database: str | None) -> str | TableSource:
    """The relation to freeze: all of it, or its rows from the watermark on."""
    if scope.since is None:
        return scope.source
    name, kind = _watermark(target, kinds)
    if kind in _TIMES:
        start = scope.since - round(target.overlap * 1e6)
        expression = name if kind.startswith("DateTime") else f"toDateTime64({name}, 6, 'UTC')"
        condition = f"{expression} >= fromUnixTimestamp64Micro({start}, 'UTC')"
    else:
        condition = f"{name} >= {scope.since - round(target.overlap)}"
    return _where(scope.source, f"({condition}) OR ({name}) IS NULL", database)


def watermark_query(target: Target, kinds: dict[str, str]) -> str:
    """A ClickHouse aggregate for the newest watermark of the rows, as a whole number: microseconds for times.

    A time in the future, which a broken row may carry, counts as now: it must not hide all that comes after.
    """
    name, kind = _watermark(target, kinds)
    if kind in _TIMES:
        newest = f"toUnixTimestamp64Micro(toDateTime64(max({name}), 6, 'UTC'))"
        return f"if(count({name}) = 0, NULL, least({newest}, toUnixTimestamp64Micro(now64(6))))"
    return f"if(count({name}) = 0, NULL, toInt64(max({name})))"


def _watermark(target: Target, kinds: dict[str, str]) -> tuple[str, str]:
    column = next(column for column in target.exported if column.name == target.watermark)
    kind = parse_type(kinds[column.name]).bare.name
    if kind not in _TIMES + _NUMBERS:
        raise ContractError(
            f"{target.name}: watermark {column.name} is of ClickHouse type {kinds[column.name]}; it must be a date, a "
            "time or a whole number of at most 64 bits"
        )
    return f"({column.expression})", kind


def _due(target: Target, run: RunRow) -> bool:
    if target.reconcile_after is None:
        return False
    return run.reconciled_at is None or datetime.now(UTC) - run.reconciled_at >= target.reconcile_after


def _where(source: str | TableSource, condition: str, database: str | None = None) -> str | TableSource:
    if isinstance(source, TableSource):
        return replace(source, where=f"({source.where}) AND ({condition})" if source.where else condition)
    return f"SELECT * FROM {relation_sql(source, database)} WHERE {condition}"
