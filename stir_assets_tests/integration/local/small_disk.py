"""What the stack does on a disk that fills up: run by `test_disk.py` in a mount namespace of its own.

`python -m ... FOLDER` mounts a small file system on FOLDER, which nobody else sees and which is gone when this
program ends, and prints what happened as one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from stir_assets.core.clickhouse import clickhouse_client
from stir_assets.errors import ConfigError
from stir_assets.importers.rejects import RejectsFile
from stir_assets.importers.run import FileReport, ImportOptions, run_import
from stir_assets.local.health import stack_status
from stir_assets.local.home import MIN_FREE_BYTES
from stir_assets.local.stack import Stack
from stir_assets.settings import Settings
from stir_assets_tests.fixtures.stack import clean_environment, unused_ports

ENGINES = ("clickhouse", "postgres")
SIZE = MIN_FREE_BYTES + 64 * 2**20
HEADER = "video_id,trending_date,channel_title,category_id,publish_time,views,likes,dislikes,comment_count\n"


def main(folder: Path) -> dict[str, Any]:
    _mount("-o", f"size={SIZE}", "tmpfs", str(folder))
    stack = Stack(
        folder / "home", ENGINES, ports=unused_ports(*ENGINES), env=clean_environment(), owner=os.getpid()
    )
    try:
        stack.start()
        return _story(stack, folder)
    finally:
        stack.stop()


def _story(stack: Stack, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {}
    first = _file(folder, "first", 1000)
    told["first"] = _import(stack, first).kept
    with psycopg.connect(stack.environment()["STIR_POSTGRES_DSN"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        second = _file(folder, "second", 2000)
        filling = _fill(folder)
        told["import_when_full"] = _import(stack, second).error
        try:
            connection.execute("CREATE TABLE big AS SELECT generate_series(1, 5000000)")
        except psycopg.Error as error:
            told["postgres_when_full"] = str(error)
        told["status_when_full"] = _status(stack)
    state = stack.state()
    assert state is not None
    process = state.services["clickhouse"].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    told["engine_when_full"] = _failure(stack)
    filling.unlink()
    # Without anybody's doing: the supervisor has gone on trying.
    told["events_when_freed"] = _events(stack)
    stack.stop()
    filling = _fill(folder)
    told["start_when_full"] = _refusal(stack)
    filling.unlink()
    stack.start()
    told["events_after_restart"] = _events(stack)
    told["second"] = _import(stack, second).kept
    told["events_at_the_end"] = _events(stack)
    with psycopg.connect(stack.environment()["STIR_POSTGRES_DSN"]) as connection:
        told["postgres_after"] = connection.execute("SELECT n FROM kept").fetchone()
    stack.stop()
    _mount("-o", "remount,ro", str(folder))
    told["start_when_read_only"] = _refusal(stack)
    return told


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", *arguments], check=True)


def _file(folder: Path, name: str, rows: int) -> Path:
    path = folder / f"{name}.csv"
    lines = (f"{name[0]}{n:010d},17.14.11,Chan,24,2017-11-13T01:00:00.000Z,{n},1,1,1\n" for n in range(rows))
    path.write_text(HEADER + "".join(lines))
    return path


def _fill(folder: Path) -> Path:
    path = folder / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**20))
    return path


def _import(stack: Stack, path: Path) -> FileReport:
    options = ImportOptions("youtube-trending", (path,))
    client = clickhouse_client(Settings.from_env(stack.environment()).clickhouse)
    with contextlib.closing(client), RejectsFile(path.with_suffix(".rejects")) as rejects:
        (report,) = run_import(client, options, rejects)
    return report


def _events(stack: Stack) -> int:
    """Rows of the event stream, once ClickHouse answers."""
    settings = Settings.from_env(stack.environment()).clickhouse
    for _ in range(300):
        with contextlib.suppress(Exception), contextlib.closing(clickhouse_client(settings)) as client:
            return int(client.query("SELECT count() FROM _e.post_log_events").result_rows[0][0])
        time.sleep(0.1)
    raise AssertionError("ClickHouse does not answer")


def _failure(stack: Stack) -> str:
    """Why ClickHouse does not come back, in the words of `stir status`."""
    for _ in range(300):
        state = stack.state()
        assert state is not None
        reason = state.services["clickhouse"].reason
        if reason and "SIGKILL" not in reason:
            return reason
        time.sleep(0.1)
    raise AssertionError("no failure was reported")


def _status(stack: Stack) -> str:
    return stack_status({**clean_environment(), "STIR_HOME": str(stack.home.root)}).summary


def _refusal(stack: Stack) -> str | None:
    try:
        stack.start()
    except ConfigError as error:
        return str(error)
    return None


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
