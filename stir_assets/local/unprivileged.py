"""Run a program as an unprivileged user, from root: `python unprivileged.py UID GID PROGRAM ARGS...`.

PostgreSQL refuses to run as root. Dropping to another user alone is not enough: a checkout or a virtual
environment in root's home (mode 0700) could not be entered any more, and opening those folders to everybody
is not ours to do. So the program keeps one capability, the right to pass and read (not write) any folder,
or where the container withholds that one, CAP_DAC_OVERRIDE; all other rights of root are gone for good.

Executed as a file, without the package around it: it starts in a few milliseconds and imports only the
standard library. Linux only; elsewhere nothing is kept, and folders must be passable for the user.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_CAPBSET_READ = 23
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _capability_to_keep(libc: ctypes.CDLL) -> int | None:
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
            return capability
    return None


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def drop(uid: int, gid: int) -> None:
    """Become `uid`/`gid`, keeping at most the capability to pass folders."""
    if not sys.platform.startswith("linux"):
        _become(uid, gid)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    capability = _capability_to_keep(libc)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    _become(uid, gid)
    mask = 0 if capability is None else 1 << capability
    sets = (_Sets * 2)(_Sets(mask, mask, mask), _Sets(0, 0, 0))
    if libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets) != 0:
        # Not held after all (a restricted root): go on without any.
        sets = (_Sets * 2)()
        libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets)
        return
    if capability is not None:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


if __name__ == "__main__":
    drop(int(sys.argv[1]), int(sys.argv[2]))
    try:
        os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  # an argument list of our own
    except PermissionError:
        sys.exit(
            f"{sys.argv[3]}: user {sys.argv[1]} may not enter the folders above it, and this container withholds "
            "the right to pass them: install below a folder open to all, or run `stir` as a normal user"
        )
