"""A disk that fills up, then is read-only: clear messages, and nothing that was stored is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stir_assets_tests.integration.local import small_disk

pytestmark = pytest.mark.slow

UNSHARE = [shutil.which("unshare") or "unshare", "--mount"]


def may_mount() -> bool:
    """Only root may mount, and not in every container."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="a small disk needs the right to mount one")
def test_full_and_read_only_disks_lose_nothing_and_say_what_to_do(tmp_path: Path) -> None:
    # PostgreSQL's user must be able to reach the data.
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", small_disk.__name__, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["first"] == 1000
    assert "not enough space" in told["import_when_full"]
    assert "second.csv" in told["import_when_full"]
    assert "No space left on device" in told["postgres_when_full"]
    assert "its disk has only 0 MB free" in told["status_when_full"]
    assert "no space left" in told["engine_when_full"]
    assert told["events_when_freed"] == told["events_after_restart"] == 1000
    assert "is on a full disk" in told["start_when_full"]
    assert told["second"] == 2000
    assert told["events_at_the_end"] == 3000
    assert told["postgres_after"] == [42]
    assert "is on a read-only file system" in told["start_when_read_only"]
