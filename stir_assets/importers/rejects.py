"""The rejects file: every row that was not used, with file, physical line, reason and its raw fields."""

from __future__ import annotations

import csv
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

COLUMNS = ("file", "line", "reason", "detail", "fields")
"""`fields` and everything right of it are the raw fields of the row, one column each."""


class RejectsFile:
    """Written only if something is rejected; `count` rows so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._out: TextIOWrapper | None = None

    def __enter__(self) -> RejectsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()

    def add(self, file: str, line: int, reason: str, detail: str, fields: list[str]) -> None:
        if self._out is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A surrogate or a lone quote of a broken row must not stop the import: replaced, quoted.
            self._out = self.path.open("w", encoding="utf-8", errors="replace", newline="")
            csv.writer(self._out).writerow(COLUMNS)
        self.count += 1
        csv.writer(self._out).writerow([file, line, reason, detail, *fields])
