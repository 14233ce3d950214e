"""Where launcher and zygote meet: one folder with a socket and a small file a run.

The files outlive the zygote, so that a run's worker is found, cancelled and judged when the zygote is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from stir_assets.errors import ConfigError

FOLDER_VARIABLE = "STIR_ZYGOTE_DIR"
KEEP_FINISHED_SECONDS = 24 * 3600.0
# A Unix socket's path has 108 bytes, the last of which is zero.
_LONGEST_SOCKET_PATH = 100


def zygote_folder(env: Mapping[str, str] | None = None) -> Path:
    """`STIR_ZYGOTE_DIR`, else `zygote/` in DAGSTER_HOME; raises `ConfigError` when neither is set."""
    source = os.environ if env is None else env
    if named := source.get(FOLDER_VARIABLE):
        return Path(named)
    if home := source.get("DAGSTER_HOME"):
        return Path(home) / "zygote"
    raise ConfigError("neither STIR_ZYGOTE_DIR nor DAGSTER_HOME is set: `stir env` prints both")


@dataclass(frozen=True)
class RunWorker:
    """One run's process. `exit_code` is None while it runs, negative for the signal that ended it.

    `peak_bytes` is the most memory it held at once, `created` its start (seconds since the epoch).
    """

    run_id: str
    pid: int
    created: float
    exit_code: int | None = None
    peak_bytes: int = 0
    ended: float | None = None

    def alive(self) -> bool:
        """Whether exactly this process runs: a reused pid has another start time."""
        if self.exit_code is not None:
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 2.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class Registry:
    """The folder. Both sides open it by path; nothing is kept in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = folder / "runs"

    def prepare(self) -> None:
        """Makes the folders, for this user only."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._runs.mkdir(exist_ok=True, mode=0o700)

    @property
    def socket_path(self) -> Path:
        """Where the zygote listens; in the system's temporary folder if the path would be too long."""
        path = self._folder / "socket"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.sha256(os.fsencode(self._folder.absolute())).hexdigest()[:16]
        short = Path(tempfile.gettempdir()) / f"stir-{os.getuid()}-{digest}"
        short.mkdir(mode=0o700, exist_ok=True)
        if short.stat().st_uid != os.getuid() or short.stat().st_mode & 0o077:
            raise ConfigError(f"{short} belongs to somebody else: set {FOLDER_VARIABLE} to a short path")
        return short / "socket"

    def claim(self, run_id: str) -> bool:
        """True for the first caller only: whoever may start this run. Atomic between processes."""
        try:
            os.close(os.open(self._runs / f"{run_id}.claim", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def write(self, worker: RunWorker) -> None:
        """Replaces the run's file in one step."""
        temporary = self._runs / f".{worker.run_id}.{os.getpid()}"
        temporary.write_text(json.dumps(asdict(worker)))
        temporary.replace(self._runs / f"{worker.run_id}.json")

    def read(self, run_id: str) -> RunWorker | None:
        """The run's worker, None if the zygote never started one."""
        try:
            saved: dict[str, Any] = json.loads((self._runs / f"{run_id}.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return RunWorker(**saved)

    def workers(self) -> list[RunWorker]:
        """All runs on record, finished ones too."""
        found = (self.read(path.stem) for path in sorted(self._runs.glob("[!.]*.json")))
        return [worker for worker in found if worker is not None]

    def forget_old(self, now: float | None = None) -> int:
        """Removes what is known of runs that ended a day ago; returns how many files."""
        oldest = (time.time() if now is None else now) - KEEP_FINISHED_SECONDS
        old = [path for path in self._runs.iterdir() if path.stat().st_mtime < oldest]
        running = {worker.run_id for worker in self.workers() if worker.alive()}
        gone = [path for path in old if path.name.split(".")[0] not in running]
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone)
