"""What the supervisor needs to know of a service; one subclass per engine."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from stir_assets.local.ports import LOOPBACK


class Service(ABC):
    """A program of the stack: how it starts, when it is ready, how it stops.

    The supervisor calls `prepare`, starts `command()` in a session of its own, calls `probe` until it
    succeeds, then `provision` once; the same again after a crash.
    """

    name: ClassVar[str]
    # Services that must be ready before this one starts.
    after: ClassVar[tuple[str, ...]] = ()
    stop_signal: ClassVar[int] = signal.SIGTERM
    start_timeout: ClassVar[float] = 60.0
    stop_timeout: ClassVar[float] = 20.0
    # How often a ready service is asked whether it still answers, in seconds.
    probe_interval: ClassVar[float] = 10.0

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def address(self) -> str:
        """Where it answers, for people to read."""
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Put the ground in order before each start; a `PermanentError` means that trying again is useless."""
        return

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments. Never a secret in it: every user of the machine can read arguments."""

    def environment(self) -> Mapping[str, str]:
        """The whole environment of the program, where its secrets are."""
        return {}

    def working_directory(self) -> Path | None:
        return None

    @abstractmethod
    def probe(self) -> None:
        """Ask it something real; any exception means not (yet) ready."""

    def provision(self) -> None:
        """After each start: make what the others expect to find (databases, bucket)."""
        return

    def clean_up(self) -> None:
        """After it ended or was found dead: end processes of its own that survived."""
        return
