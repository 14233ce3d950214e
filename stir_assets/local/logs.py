"""Log files of the engines: bounded in size, and their last words when one dies."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

MAX_LOG_BYTES = 20 * 1024 * 1024

_TELLING = re.compile(
    r"FATAL|PANIC|ERROR|Error|Exception|No space left|Address already in use|Killed", re.IGNORECASE
)


def bound_size(path: Path, limit: int = MAX_LOG_BYTES) -> None:
    """Above `limit` bytes: copy to `<name>.log.1` and empty the file.

    The engines write to the file themselves in append mode, so they go on through a restart of the
    supervisor, and emptying it under them is safe; a line written during the copy may be lost.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            with path.open("r+b") as file:
                file.truncate(0)


def last_words(path: Path, *, since: int = 0) -> str:
    """The last errors and the last lines that were written after byte `since`, in their order."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(since if since <= size else 0, size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    written = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [index for index, line in enumerate(written) if _TELLING.search(line)]
    shown = sorted({*telling[-2:], *range(max(0, len(written) - 3), len(written))})
    return " | ".join(written[index] for index in shown)[-1200:]
