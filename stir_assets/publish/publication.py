"""What a publication was: the result object callers turn into metadata, and progress on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Where a publication stands. `rows` of `total_rows` are loaded while phase is 'load'."""

    phase: str
    message: str
    rows: int | None = None
    total_rows: int | None = None
    bytes: int | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Publication:
    """A finished publication. Times are UTC, sizes bytes, durations seconds by phase.

    `way` is how the rows got there: 'swap' (a new table or version), 'merge' (all rows compared, the differing ones
    merged) or 'delta' (only rows since the watermark exported and merged). `changed_rows` counts those inserted,
    updated and deleted by a merge.
    """

    target: str
    version: str
    mode: str
    run_id: str
    attempt: int
    sequence: int
    rows: int
    exported_rows: int
    bytes: int
    staged_bytes: int
    seconds: Mapping[str, float]
    published_at: datetime
    data_time: datetime | None
    previous_version: str | None
    previous_run_id: str | None
    previous_rows: int | None
    columns: tuple[tuple[str, str, str | None], ...]
    snapshot: str
    copy_format: str
    way: str = "swap"
    swap_attempts: int = 1
    dropped_rows: Mapping[str, int] = field(default_factory=dict)
    changed_rows: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def growth(self) -> float | None:
        """Rows against the previous version: 1.0 is the same number; None without a previous version."""
        return self.rows / self.previous_rows if self.previous_rows else None

    @property
    def total_seconds(self) -> float:
        """Wall time of the whole publication."""
        return sum(self.seconds.values())

    def metadata(self) -> dict[str, Any]:
        """Everything above as plain JSON values."""
        return {
            "target": self.target,
            "version": self.version,
            "mode": self.mode,
            "run_id": self.run_id,
            "attempt": self.attempt,
            "sequence": self.sequence,
            "rows": self.rows,
            "exported_rows": self.exported_rows,
            "bytes": self.bytes,
            "staged_bytes": self.staged_bytes,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "total_seconds": round(self.total_seconds, 3),
            "published_at": self.published_at.isoformat(),
            "data_time": self.data_time.isoformat() if self.data_time else None,
            "previous_version": self.previous_version,
            "previous_run_id": self.previous_run_id,
            "previous_rows": self.previous_rows,
            "growth": self.growth,
            "columns": [{"name": n, "type": t, "description": d} for n, t, d in self.columns],
            "snapshot": self.snapshot,
            "copy_format": self.copy_format,
            "way": self.way,
            "swap_attempts": self.swap_attempts,
            "dropped_rows": dict(self.dropped_rows),
            "changed_rows": dict(self.changed_rows),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class PublishedTable:
    """One row of `Publisher.publications()`: what is live, and what can be rolled back to."""

    target: str
    mode: str
    version: str
    sequence: int
    rows: int | None
    published_at: datetime | None
    data_time: datetime | None
    run_id: str | None
    previous_version: str | None
    previous_rows: int | None
