"""Start and stop the ClickHouse server as a subprocess: for tests, benchmarks and supervisors."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from stir_assets.errors import TransientError
from stir_assets.local.clickhouse.__main__ import PASSWORD_VARIABLE


class ClickHouseProcess:
    """One server in a process of its own. Use as a context manager, or `start` and `stop`.

    `port=0` chooses a free port at construction, so that the server keeps it over restarts. Standard output and
    error go to `<data_dir>.log`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        password: str = "",
        user: str = "default",
        arguments: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.host = "127.0.0.1"
        self.port = port or _free_port()
        self.user = user
        self.password = password
        self.log = data_dir.with_name(data_dir.name + ".log")
        self._arguments = arguments
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address without credentials."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise TransientError(f"the ClickHouse server on {self.data_dir} is not running")
        return self._process.pid

    def start(self, timeout: float = 30.0) -> ClickHouseProcess:
        """Start and wait until it answers; raises `TransientError` with the end of its log."""
        command = [sys.executable, "-m", "stir_assets.local.clickhouse", "--host", self.host]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir), "--user", self.user]
        env = {**os.environ, **self._env, PASSWORD_VARIABLE: self.password}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([*command, *self._arguments], env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._answers():
                return self
            time.sleep(0.05)
        self.stop()
        raise TransientError(f"the ClickHouse server did not start: {self.log_tail()}")

    def stop(self, timeout: float = 20.0) -> int | None:
        """SIGTERM, wait, then SIGKILL if it did not end; returns the exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:]) if self.log.exists() else ""

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1) as response:  # noqa: S310 - our own http address
                return response.status == 200
        except OSError:
            return False

    def __enter__(self) -> ClickHouseProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
