"""What can go wrong with a publication. Transient errors are worth another try, permanent ones are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stir_assets.errors import PermanentError, StirError, TransientError


@dataclass(frozen=True)
class Session:
    """A PostgreSQL session that holds something a publication needs."""

    pid: int
    user: str | None = None
    application: str | None = None
    state: str | None = None
    age_seconds: float | None = None
    query: str | None = None

    def __str__(self) -> str:
        age = "" if self.age_seconds is None else f", for {self.age_seconds:.0f} s"
        query = f": {self.query}" if self.query else ""
        return (
            f"pid {self.pid} ({self.user or '?'}, {self.application or '?'}, {self.state or '?'}{age}){query}"
        )


class Busy(TransientError):
    """Another process publishes this table right now."""

    def __init__(self, target: str, holders: Sequence[Session]) -> None:
        who = "; ".join(map(str, holders)) or "an unknown session"
        super().__init__(
            f"{target} is being published by {who}; wait for it, or end that session and try again"
        )
        self.target = target
        self.holders = tuple(holders)


class Fenced(PermanentError):
    """Another publication went live while this one was under way; this one must not overwrite it."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"{target}: another publication went live meanwhile, so this older one was given up; "
            "the live table is the newer one and nothing needs doing"
        )
        self.target = target


class SwapTimeout(TransientError):
    """The lock for the swap was not obtained within the budget; the live table is unchanged."""

    def __init__(self, target: str, attempts: int, seconds: float, blockers: Sequence[Session]) -> None:
        who = "; ".join(map(str, blockers)) or "sessions that have gone meanwhile"
        super().__init__(
            f"{target}: no lock in {attempts} attempts over {seconds:.1f} s, blocked by {who}; the live table is "
            "unchanged. End those sessions, raise max_reader_block, or publish with mode 'pointer', which needs no lock"
        )
        self.target = target
        self.attempts = attempts
        self.blockers = tuple(blockers)


class Refused(PermanentError):
    """A guard said no. The live table is unchanged; the candidate stays for a look until the next publication."""

    def __init__(
        self,
        target: str,
        guard: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        candidate: str | None = None,
    ) -> None:
        kept = f" The candidate is kept as {candidate}." if candidate else ""
        super().__init__(f"{target}: refused by {guard}: {message}. The live table is unchanged.{kept}")
        self.target = target
        self.guard = guard
        self.message = message
        self.details = dict(details or {})
        self.candidate = candidate


class PreflightError(Refused):
    """Something about the server or the objects that depend on the table makes a safe publication impossible."""

    def __init__(self, target: str, message: str, objects: Sequence[str] = ()) -> None:
        listed = f" ({'; '.join(objects)})" if objects else ""
        super().__init__(target, "preflight", message + listed, details={"objects": list(objects)})
        self.objects = tuple(objects)


class ContractError(PermanentError):
    """A declaration does not fit what ClickHouse delivers, or is wrong in itself."""


class TypeConversionError(PermanentError):
    """PostgreSQL could not take a value. Names the column, the line and the ways out."""

    def __init__(
        self,
        target: str,
        *,
        column: str | None,
        line: int | None,
        clickhouse_type: str | None,
        reason: str,
        remedy: str = "Correct the value upstream, or convert it in the column's source",
    ) -> None:
        where = f"column {column!r}" if column else "a row"
        at = f", line {line} of the export" if line else ""
        kind = f" (ClickHouse type {clickhouse_type})" if clickhouse_type else ""
        super().__init__(f"{target}: {where}{kind}{at}: {reason}. {remedy}")
        self.target = target
        self.column = column
        self.line = line
        self.clickhouse_type = clickhouse_type


class IncompleteExport(TransientError):
    """A staged object is missing, cut short or holds other rows than were exported."""


class ExportFailed(PermanentError):
    """ClickHouse refused or aborted the export for a reason that will repeat."""


class ClickHouseUnavailable(TransientError):
    """ClickHouse was away, too busy or out of memory."""


class PostgresUnavailable(TransientError):
    """The connection to PostgreSQL was refused or lost."""


class PostgresRefused(PermanentError):
    """PostgreSQL refused a statement: permission, disk space, read-only server or an invalid declaration."""


class NothingToRollBack(PermanentError):
    """The table has no previous version."""


class LockLost(TransientError):
    """The session that held the publication lock is gone, so the work was given up."""


__all__ = [
    name
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, StirError)
]
