"""Which code a process has loaded, as a fingerprint of the files it was loaded from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_SUFFIXES = frozenset({".py", ".sql", ".yml", ".yaml", ".json"})
# dbt writes there while it runs; everything in it is made from files that are counted.
_IGNORED = frozenset({"__pycache__", "target", "logs", "dbt_packages", ".git", "node_modules"})


def code_version(folders: Iterable[Path]) -> str:
    """Changes whenever a source file is written, added, renamed or removed; about 5 ms for 600 files."""
    digest = hashlib.sha256()
    for folder in folders:
        for name, modified, size in sorted(_files(folder)):
            digest.update(f"{name}\0{modified}\0{size}\0".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _IGNORED:
                    yield from _files(Path(entry.path))
            elif Path(entry.name).suffix in _SUFFIXES:
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue  # an editor's temporary file, gone again
                yield entry.path, status.st_mtime_ns, status.st_size
