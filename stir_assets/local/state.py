"""What the supervisor says about the stack while it runs: `STIR_HOME/run/state.json`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from stir_assets.local.processes import ProcessRef

Phase = Literal["waiting", "starting", "ready", "not answering", "restarting", "failed", "stopped"]


@dataclass
class ServiceState:
    """One service as the supervisor sees it. `restarts` counts since the supervisor started."""

    name: str
    phase: Phase = "waiting"
    address: str = ""
    log: str = ""
    process: ProcessRef | None = None
    since: str = ""
    restarts: int = 0
    reason: str = ""


@dataclass
class StackState:
    """The supervisor and its services. Holds no secret."""

    supervisor: ProcessRef
    external: bool = False
    # Which version of wanted.json the services below answer to.
    generation: int = 0
    updated: str = ""
    services: dict[str, ServiceState] = field(default_factory=dict)

    def running(self) -> bool:
        """Whether the supervisor that wrote this is alive."""
        return self.supervisor.alive()

    @staticmethod
    def read(path: Path) -> StackState | None:
        """The last state written; None if there is none or it cannot be read (then nothing is assumed)."""
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            return StackState(
                supervisor=ProcessRef(**saved["supervisor"]),
                external=saved["external"],
                generation=saved["generation"],
                updated=saved["updated"],
                services={name: _service(value) for name, value in saved["services"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        self.updated = now_text()
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")
        temporary.replace(path)


def _service(saved: dict[str, Any]) -> ServiceState:
    process = saved.pop("process")
    return ServiceState(process=ProcessRef(**process) if process else None, **saved)


def now_text() -> str:
    """Now in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
