"""Processes of ours, told apart from strangers that got the same pid later."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass

import psutil

# The start time is read against the boot time, which clock adjustment may move by a second.
_CREATED_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessRef:
    """A process by pid and start time (seconds since 1970), so that a reused pid is never taken for it."""

    pid: int
    created: float

    @staticmethod
    def of(pid: int) -> ProcessRef:
        """Raises `psutil.NoSuchProcess` if it is gone already."""
        return ProcessRef(pid, psutil.Process(pid).create_time())

    def alive(self) -> bool:
        """Whether exactly this process runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CREATED_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def send(self, number: int) -> None:
        """Send a signal if it still runs."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds; True when it has ended (a child of ours is left to be reaped)."""
        deadline = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        return True


def group_members(leader: ProcessRef) -> list[ProcessRef]:
    """What still runs in the session that `leader` opened (its children survive it), the leader included."""
    members: list[ProcessRef] = []
    leader_is_stranger = psutil.pid_exists(leader.pid) and not leader.alive() and not _is_zombie(leader.pid)
    if leader_is_stranger:
        return members
    for process in psutil.process_iter(["create_time", "status"]):
        try:
            in_session = os.getsid(process.pid) == leader.pid
        except (ProcessLookupError, PermissionError):
            continue
        young_enough = process.info["create_time"] >= leader.created - _CREATED_TOLERANCE_SECONDS
        if in_session and young_enough and process.info["status"] != psutil.STATUS_ZOMBIE:
            members.append(ProcessRef(process.pid, process.info["create_time"]))
    return members


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop_session(leader: ProcessRef, *, gentle: int = signal.SIGTERM, timeout: float = 20.0) -> bool:
    """End a program started in a session of its own: a gentle signal, then after `timeout` seconds SIGKILL.

    Returns True if the program ended by itself. Nothing outside that session is touched.
    """
    leader.send(gentle)
    ended = leader.wait(timeout)
    for member in group_members(leader):
        member.send(signal.SIGKILL)
        member.wait(5.0)
    return ended
