"""One line of JSON each way over the zygote's socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

# A fork takes milliseconds; a zygote that does not answer in this time is replaced by the stock launcher.
REQUEST_TIMEOUT_SECONDS = 5.0
_LONGEST_LINE = 1_000_000


def request(
    path: Path, message: dict[str, Any], *, timeout: float = REQUEST_TIMEOUT_SECONDS
) -> dict[str, Any]:
    """Asks the zygote. Raises `OSError` (also `TimeoutError`) or `ValueError` when there is no answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(json.dumps(message).encode() + b"\n")
        return receive(connection)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Reads one message. Raises `ValueError` for anything else than one line with a JSON object."""
    with connection.makefile("rb") as stream:
        line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("the message ended before its line did")
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError(f"expected an object, got {type(message).__name__}")
    return message


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Writes one message."""
    connection.sendall(json.dumps(message).encode() + b"\n")
