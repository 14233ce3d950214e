"""TCP ports on loopback: which are free, who holds the others."""

from __future__ import annotations

import socket
from collections.abc import Collection

import psutil

from stir_assets.errors import ConfigError

LOOPBACK = "127.0.0.1"
_CANDIDATES_AFTER_DEFAULT = 40


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now (a port in TIME_WAIT is free)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens there, for a message: `postgres (pid 812)`, or `another process` if not ours to see."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return "another process"
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                break
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return "another process"


def free_port_near(default: int, taken: Collection[int]) -> int:
    """The first free port after `default` that is not in `taken`, else any the system gives."""
    for port in range(default + 1, default + 1 + _CANDIDATES_AFTER_DEFAULT):
        if port < 65536 and port not in taken and is_free(port):
            return port
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
    raise ConfigError(f"no free TCP port found on {LOOPBACK}: stop some of the programs that listen there")
