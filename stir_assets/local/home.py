"""Where the local stack keeps everything: one folder, `.stir/` in the checkout or `STIR_HOME`."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stir_assets.errors import ConfigError

# An empty stack is about 150 MB (PostgreSQL's first write-ahead log alone 64 MB); below this the engines
# would start and then stop half way, which is worse than not starting.
MIN_FREE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class StackHome:
    """The folders and files below `STIR_HOME`. `prepare()` makes them."""

    root: Path

    @property
    def logs(self) -> Path:
        """One file per engine, `<name>.log`, and the one before it, `<name>.log.1`."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What is true only while the stack runs."""
        return self.root / "run"

    @property
    def config_file(self) -> Path:
        """Ports and generated passwords, mode 0600; restarts keep them."""
        return self.root / "stack.json"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def wanted_file(self) -> Path:
        return self.run / "wanted.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def command_lock(self) -> Path:
        return self.run / "command.lock"

    @property
    def clickhouse_data(self) -> Path:
        return self.root / "clickhouse"

    @property
    def postgres_data(self) -> Path:
        return self.root / "postgres"

    @property
    def s3_spill(self) -> Path:
        return self.root / "s3"

    @property
    def dagster_home(self) -> Path:
        return self.root / "dagster"

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Make the folders and check that they can be written and have room.

        Raises `ConfigError` naming the folder and the way out; touches no data.
        """
        for folder in (
            self.root,
            self.logs,
            self.run,
            self.clickhouse_data,
            self.s3_spill,
            self.dagster_home,
        ):
            self._make(folder)
        for folder in (self.root, self.run, self.clickhouse_data):
            self._check_writable(folder)
        free = shutil.disk_usage(self.root).free
        if free < MIN_FREE_BYTES:
            raise ConfigError(
                f"the disk of {self.root} has only {free // 2**20} MB free, the local stack needs "
                f"{MIN_FREE_BYTES // 2**20} MB: free some space or set STIR_HOME to a folder on another disk"
            )

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755 if folder == self.root else 0o700)
        except (FileExistsError, NotADirectoryError):
            raise ConfigError(
                f"{folder} cannot be the stack's folder because a file is in its place: "
                "move that file away or set STIR_HOME to another folder"
            ) from None
        except OSError as error:
            raise self._unusable(folder, error) from error

    def _check_writable(self, folder: Path) -> None:
        probe = folder / f".write-check-{os.getpid()}"
        try:
            probe.write_bytes(b"\0" * 4096)
            probe.unlink()
        except OSError as error:
            raise self._unusable(folder, error) from error

    def _unusable(self, folder: Path, error: OSError) -> ConfigError:
        reasons = {
            errno.EROFS: "is on a read-only file system",
            errno.ENOSPC: "is on a full disk",
            errno.EDQUOT: "is over its disk quota",
            errno.EACCES: "may not be written by this user",
            errno.EPERM: "may not be written by this user",
        }
        reason = reasons.get(error.errno or 0, f"cannot be written ({error.strerror})")
        return ConfigError(f"{folder} {reason}: fix that or set STIR_HOME to another folder")
