"""One import: each file is read to its end into staging tables, worked out, and only then written.

A file that fails leaves the source tables as they were; the other files are still imported.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from stir_assets.errors import PermanentError, StirError
from stir_assets.importers.categories import STANDARD, read_categories
from stir_assets.importers.cleaning import Notes, RejectError
from stir_assets.importers.commit import Batch, prepare, write
from stir_assets.importers.kinds import KINDS
from stir_assets.importers.layouts import Choice, Kind, Layout, Reading, RowMapper, choose
from stir_assets.importers.observations import Observation, Title
from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.rows import CsvFile, UnreadableFileError
from stir_assets.importers.stage import Stage
from stir_assets.importers.waves import month_in_name
from stir_assets.world.schema import create_source_tables

CHUNK_ROWS = 20_000
"""Rows held in memory before they go to the staging table."""

ReportProgress = Callable[[Path, int, int], None]
"""Called with (file, bytes read, bytes in all) as reading goes on."""


@dataclass(frozen=True)
class ImportOptions:
    """What the user asked for.

    `country`: two letters, the country of the lists; becomes the hand-set country of channels and profiles that
    have none. `observed_at`: when the files were written (seconds since 1970), for files that do not say.
    """

    kind: str
    files: tuple[Path, ...]
    titles: tuple[Path, ...] = ()
    categories: tuple[Path, ...] = ()
    country: str = ""
    observed_at: int | None = None


@dataclass
class FileReport:
    """What became of one file. `error` is why nothing of it was imported, None if it was."""

    path: Path
    layout: str = ""
    read: int = 0
    kept: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    notes: Notes = field(default_factory=Notes)
    written: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None


def run_import(
    client: Client, options: ImportOptions, rejects: RejectsFile, progress: ReportProgress | None = None
) -> list[FileReport]:
    """Import the files; one report each, in the order given, titles files included.

    Raises `PermanentError` for what concerns no single file (unknown kind, unreadable category list).
    """
    kind = KINDS.get(options.kind)
    if kind is None:
        raise PermanentError(f"there is no kind {options.kind!r}: use one of {', '.join(KINDS)}")
    categories = dict(STANDARD)
    for path in options.categories:
        categories |= read_categories(path)
    create_source_tables(client)
    return _Import(client, kind, options, categories, rejects, progress).run()


@dataclass
class _Import:
    client: Client
    kind: Kind
    options: ImportOptions
    categories: dict[int, str]
    rejects: RejectsFile
    progress: ReportProgress | None
    last_second: int = 0

    def run(self) -> list[FileReport]:
        """Titles are staged first: they fill the lists of the same call, then what earlier imports stored."""
        files = tuple(dict.fromkeys((*self.options.files, *self.options.titles)))
        reports = {path: FileReport(path) for path in files}
        listed = [path for path in files if path in self.options.titles or self._is_titles(path)]
        with Stage(self.client) as shared:
            staged = [
                path
                for path in listed
                if self._guard(reports[path], partial(self._read, reports[path], shared))
            ]
            titles = shared.table("titles") if staged else None
            for path in (path for path in files if path not in listed):
                self._guard(reports[path], partial(self._import_list, reports[path], titles))
            if staged:
                self._commit_titles(shared, [reports[path] for path in staged])
        return list(reports.values())

    def _guard(self, report: FileReport, action: Callable[[], object]) -> bool:
        """Run an action on a file; an error of the file ends up in its report, and is no error of the import."""
        started = time.monotonic()
        try:
            action()
        except StirError as error:
            report.error = str(error)
        except ClickHouseError as error:
            report.error = f"{report.path}: ClickHouse refused: {str(error).splitlines()[0][:500]}"
        report.seconds += time.monotonic() - started
        return report.error is None

    def _is_titles(self, path: Path) -> bool:
        """Whether a file given among the lists holds titles only; errors surface when it is read."""
        try:
            source = CsvFile(path)
        except UnreadableFileError:
            return False
        try:
            return self._choose(source, Notes())[0].layout.produces is Title
        except StirError:
            return False
        finally:
            source.close()

    def _choose(self, source: CsvFile, notes: Notes) -> tuple[Choice, Iterator[tuple[int, list[str]]]]:
        rows = source.rows(notes)
        first = next(rows, None)
        if first is None:
            raise PermanentError(f"{source.path}: the file is empty")
        try:
            choice = choose(self.kind, first[1], tuple(KINDS.values()))
        except StirError as error:
            raise type(error)(f"{source.path}: {error}") from None
        return choice, chain([first], rows) if choice.headerless else rows

    def _import_list(self, report: FileReport, titles: str | None) -> None:
        with Stage(self.client) as stage:
            choice = self._read(report, stage)
            if not report.read:
                raise PermanentError(f"{report.path}: there is no row below the header")
            stage.check_arrived(choice.layout.produces, report.kept)
            self._commit(stage, report, choice, titles)

    def _read(self, report: FileReport, stage: Stage) -> Choice:
        source = CsvFile(report.path)
        try:
            choice, rows = self._choose(source, report.notes)
            report.layout = choice.layout.name
            if choice.ignored:
                report.notes[f"columns not used: {', '.join(choice.ignored)}"] += 1
            observed = self._observed(report.path, choice.layout)
            reading = Reading(self.options.country, observed, report.notes)
            mapper = choice.layout.build(choice.layout.positions(choice.header), reading)
            for chunk in self._chunks(report, rows, mapper, len(choice.header), source):
                stage.insert(choice.layout.produces, chunk)
            if report.read and report.rejected.total() == report.read:
                reasons = ", ".join(report.rejected)
                raise PermanentError(
                    f"{report.path}: every one of {report.read} rows was rejected ({reasons}): see {self.rejects.path}"
                )
            report.kept = report.read - report.rejected.total()
            return choice
        finally:
            source.close()

    def _observed(self, path: Path, layout: Layout) -> int | None:
        """When a file was written, for layouts that do not say: the user, the month in its name, the layout."""
        in_name = month_in_name(path.name) if layout.by_position else None
        return self.options.observed_at or in_name or layout.observed

    def _chunks(
        self,
        report: FileReport,
        rows: Iterator[tuple[int, list[str]]],
        mapper: RowMapper,
        width: int,
        source: CsvFile,
    ) -> Iterator[Sequence[tuple[int, Observation]]]:
        chunk: list[tuple[int, Observation]] = []
        name = report.path.name
        for line, fields in rows:
            report.read += 1
            try:
                if len(fields) != width:
                    raise RejectError("wrong_number_of_fields", f"{len(fields)} instead of {width}")
                chunk.append((line, mapper(fields)))
            except RejectError as error:
                report.rejected[error.reason] += 1
                self.rejects.add(name, line, error.reason, error.detail, fields)
            if len(chunk) >= CHUNK_ROWS:
                yield chunk
                chunk = []
                self._tell(report.path, source.position, source.size)
        yield chunk
        self._tell(report.path, source.size, source.size)

    def _tell(self, path: Path, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(path, done, total)

    def _commit(self, stage: Stage, report: FileReport, choice: Choice, titles: str | None) -> None:
        batch = Batch(
            f"import:{self.kind.name}",
            choice.layout.platform,
            choice.layout.produces,
            self._second(),
            self.categories,
        )
        plan, settled = prepare(stage, batch, titles)
        report.kept, report.duplicates, report.conflicts = settled.kept, settled.duplicates, settled.conflicts
        report.written = write(stage, plan)

    def _commit_titles(self, stage: Stage, reports: list[FileReport]) -> None:
        """All titles files at once; their totals stand in the report of the last one."""
        last = reports[-1]

        def commit() -> None:
            stage.check_arrived(Title, sum(report.kept for report in reports))
            batch = Batch(f"import:{self.kind.name}", "YOUTUBE", Title, self._second(), self.categories)
            plan, settled = prepare(stage, batch, None)
            last.kept, last.duplicates, last.conflicts = settled.kept, settled.duplicates, settled.conflicts
            last.written = write(stage, plan)

        self._guard(last, commit)

    def _second(self) -> int:
        """The moment of a commit. Each has a second of its own: two versions of a row must not be of one time."""
        while int(time.time()) <= self.last_second:
            time.sleep(0.05)
        self.last_second = int(time.time())
        return self.last_second
