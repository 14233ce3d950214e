"""Reading: a plain or gzip file as CSV rows with their physical line numbers, in constant memory.

The end of a gzip stream is checked by reading it to its end; a truncated or damaged file raises
`UnreadableFileError`, which the caller answers by dropping what it had staged.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from stir_assets.errors import PermanentError
from stir_assets.importers.cleaning import Notes

GZIP_MAGIC = b"\x1f\x8b"
FIELD_LIMIT = 1_000_000
"""Longest field in characters: real captions stay under 10,000; more means a quote was never closed."""

_ERRORS = "stir-cp1252"


class UnreadableFileError(PermanentError):
    """A file that cannot be read to its end: missing, damaged, cut off, not text."""


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8 are read as cp1252, marked by U+E000 in front so that the reader can count them."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "\ue000" + wrong.decode("cp1252", "replace"), error.end


codecs.register_error(_ERRORS, _as_cp1252)


class CsvFile:
    """One input file. Iterate over `rows()` once; `position` is the number of bytes read from disk so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
            self._disk: BinaryIO = path.open("rb")
        except OSError as error:
            raise UnreadableFileError(f"{path}: {error.strerror or error}") from error
        self.rejected_lines = 0

    @property
    def position(self) -> int:
        return self._disk.tell()

    def close(self) -> None:
        self._disk.close()

    def rows(self, notes: Notes) -> Iterator[tuple[int, list[str]]]:
        """(physical line on which the row starts, its fields); blank lines are left out.

        Raises `UnreadableFileError` naming the file, the last good line and what to do.
        """
        reader = csv.reader(self._text(), strict=False)
        csv.field_size_limit(FIELD_LIMIT)
        line = 1
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # The reader starts afresh on the next line: hand the row over as one broken field.
                fields = [f"{error}"]
                if "field larger" not in str(error) and "new-line" not in str(error):
                    raise UnreadableFileError(f"{self.path}: line {line}: {error}") from error
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UnreadableFileError(
                    f"{self.path}: the gzip data is cut off or damaged after line {line - 1} ({error}); "
                    "nothing of this file was imported: fetch it again"
                ) from error
            except OSError as error:
                raise UnreadableFileError(f"{self.path}: {error} after line {line - 1}") from error
            if fields:
                yield line, _count_repairs(fields, notes)
            line = reader.line_num + 1

    def _text(self) -> io.TextIOWrapper:
        magic = self._disk.read(2)
        self._disk.seek(0)
        raw = cast(BinaryIO, gzip.GzipFile(fileobj=self._disk)) if magic == GZIP_MAGIC else self._disk
        # newline="\n": only LF ends a physical line, so numbers agree with editors; csv handles CRLF and CR in quotes.
        return io.TextIOWrapper(raw, encoding="utf-8-sig", errors=_ERRORS, newline="\n")


def _count_repairs(fields: list[str], notes: Notes) -> list[str]:
    for index, field in enumerate(fields):
        if not field.isascii() and "\ue000" in field:
            notes["bytes read as cp1252"] += field.count("\ue000")
            fields[index] = field.replace("\ue000", "")
    return fields
