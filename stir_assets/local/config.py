"""Ports and generated passwords of one local stack, kept in a 0600 file so that restarts keep them."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stir_assets.errors import ConfigError
from stir_assets.local import ports


@dataclass(frozen=True)
class PortSetting:
    """A port of the stack: its default, and the flag and the variable that set it."""

    default: int
    flag: str
    variable: str


PORTS: Mapping[str, PortSetting] = {
    "clickhouse": PortSetting(8123, "--clickhouse-port", "STIR_CLICKHOUSE_PORT"),
    "postgres": PortSetting(5442, "--postgres-port", "STIR_POSTGRES_PORT"),
    "s3": PortSetting(5555, "--s3-port", "STIR_S3_PORT"),
    "webserver": PortSetting(3000, "--ui-port", "STIR_UI_PORT"),
    "code-server": PortSetting(4000, "--code-port", "STIR_CODE_PORT"),
}


def _secret() -> str:
    # Hexadecimal: needs no quoting in a URI, a shell or a YAML file.
    return secrets.token_hex(20)


@dataclass
class StackConfig:
    """What a restart must find again. Passwords are random, made at the first start."""

    ports: dict[str, int] = field(default_factory=dict)
    clickhouse_password: str = field(default_factory=_secret, repr=False)
    postgres_password: str = field(default_factory=_secret, repr=False)
    postgres_admin_password: str = field(default_factory=_secret, repr=False)
    dagster_password: str = field(default_factory=_secret, repr=False)
    s3_access_key: str = field(default_factory=lambda: f"STIR{secrets.token_hex(8).upper()}", repr=False)
    s3_secret_key: str = field(default_factory=_secret, repr=False)
    pii_salt: str = field(default_factory=_secret, repr=False)

    @staticmethod
    def load(path: Path) -> StackConfig | None:
        """The saved configuration, None before the first start; a damaged file raises `ConfigError`."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except PermissionError:
            raise ConfigError(
                f"{path} belongs to another user: run `stir` as that user or set STIR_HOME to a folder of yours"
            ) from None
        try:
            saved: dict[str, Any] = json.loads(text)
            known = set(StackConfig.__dataclass_fields__)
            return StackConfig(**{name: value for name, value in saved.items() if name in known})
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path} is damaged ({error}): delete it; the next `stir up` makes new passwords "
                "and sets them in the existing data"
            ) from error

    def save(self, path: Path) -> None:
        """Write atomically, readable by the owner only."""
        write_private(path, json.dumps(asdict(self), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; never readable by others, never seen half-written, on disk when it returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def requested_ports(env: Mapping[str, str], flags: Mapping[str, int | None]) -> dict[str, int]:
    """Ports asked for explicitly: a flag wins over its variable. Raises `ConfigError` on a bad number."""
    wanted: dict[str, int] = {}
    for name, setting in PORTS.items():
        flag = flags.get(name)
        text = str(flag) if flag is not None else env.get(setting.variable, "").strip()
        if not text:
            continue
        if not text.isdigit() or not 0 < int(text) < 65536:
            source = setting.flag if flag is not None else setting.variable
            raise ConfigError(f"{source}={text!r} is not a port number (1 to 65535)")
        wanted[name] = int(text)
    return wanted


def assign_ports(config: StackConfig, names: list[str], explicit: Mapping[str, int]) -> list[str]:
    """Give each named service that is about to start a free port; returns notes for the user.

    An explicit port that is busy raises `ConfigError`; a default or remembered one makes room by itself.
    """
    notes: list[str] = []
    for name in names:
        setting = PORTS[name]
        taken = {port for other, port in config.ports.items() if other != name}
        taken |= {port for other, port in explicit.items() if other != name}
        if name in explicit:
            port = explicit[name]
            if port in {explicit[other] for other in explicit if other != name}:
                raise ConfigError(
                    f"port {port} is asked for twice: change {setting.flag} or {setting.variable}"
                )
            if not ports.is_free(port):
                raise ConfigError(
                    f"port {port} for {name} is in use by {ports.holder(port)}: stop it, or choose another "
                    f"with {setting.flag} or {setting.variable}"
                )
        else:
            wanted = config.ports.get(name, setting.default)
            port = wanted
            if port in taken or not ports.is_free(port):
                port = ports.free_port_near(wanted, taken)
                notes.append(
                    f"port {wanted} for {name} is in use by {ports.holder(wanted)}; using {port} instead "
                    f"(choose one with {setting.flag} or {setting.variable})"
                )
        config.ports[name] = port
    return notes
