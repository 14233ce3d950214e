"""The chdb engine behind the server: connections, per-request settings, cancelling.

One chdb connection is one ClickHouse session (its SETs, current database and temporary tables); connections
run in parallel. A connection costs about 0.1 ms, so a request without `session_id` gets a fresh one and no
state can leak between requests.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import chdb

from stir_assets.errors import ConfigError
from stir_assets.local.clickhouse.errors import ClickHouseError, Code, from_engine
from stir_assets.local.clickhouse.sql import quote, quote_name

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_SET_NAMES = re.compile(rb"([A-Za-z_][A-Za-z0-9_.]*)\s*=")


class Connection:
    """One chdb connection and what this server has changed on it. Not for concurrent use."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._database = "default"
        self._applied: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self.home_database = "default"

    def query(
        self, sql: bytes | str, fmt: str = "TabSeparated", params: Mapping[str, str] | None = None
    ) -> Any:
        """Run one statement; raises `ClickHouseError`.

        After an error the engine can leave half a result in the connection's buffer, where it would be
        taken for the beginning of the next one: it is flushed out here.
        """
        try:
            return self._raw.query(sql, fmt, params=dict(params) if params else None)
        except Exception as error:
            with contextlib.suppress(Exception):  # the first error is the one to report
                self._raw.query("SELECT 1", "Null")
            raise from_engine(error) from None

    def blocks(self, sql: bytes | str, fmt: str, params: Mapping[str, str] | None = None) -> Generator[Any]:
        """Run a SELECT, yielding its result block by block as the engine makes them; raises `ClickHouseError`.

        Each block is formatted on its own: only for formats without a beginning and an end around all rows.
        """
        try:
            result = self._raw.send_query(sql, fmt, params=dict(params) if params else {})
            try:
                yield from result
            finally:
                result.close()
        except RuntimeError as error:
            raise from_engine(error) from None

    def prepare(self, database: str | None, settings: Mapping[str, str], role: str | None) -> None:
        """Bring the connection into the state a request asks for, undoing what an earlier one asked for."""
        stale = [name for name in self._applied if name not in settings]
        if stale:
            defaults = ", ".join(f"{name} = {self._restored(name)}" for name in stale)
            self.query(f"SET {defaults}")
            for name in stale:
                del self._applied[name]
        fresh = {name: value for name, value in settings.items() if self._applied.get(name) != value}
        if fresh:
            for name in fresh:
                if not _SETTING_NAME.match(name):
                    raise ClickHouseError(Code.UNKNOWN_SETTING, f"Unknown setting '{name}'")
            self.query("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in fresh.items()))
            self._applied.update(fresh)
        wanted = database or self.home_database
        if wanted != self._database:
            self.query(f"USE {quote_name(wanted)}")
            self._database = wanted
        if role:
            self.query(f"SET ROLE {quote_name(role)}")

    def _restored(self, name: str) -> str:
        return quote(self._own[name]) if name in self._own else "DEFAULT"

    def note_statement(self, word: bytes, sql: bytes) -> None:
        """Remember what a SET or USE of the client changed for the session."""
        if word == b"USE":
            result = self.query("SELECT currentDatabase()", "TabSeparatedRaw")
            self._database = self.home_database = result.bytes().decode().rstrip("\n")
        elif word == b"SET":
            names = {match.group(1).decode() for match in _SET_NAMES.finditer(sql)}
            listed = ", ".join(quote(name) for name in sorted(names))
            rows = self.query(
                f"SELECT name, value, changed FROM system.settings WHERE name IN ({listed})", "TSV"
            )
            for line in rows.bytes().decode().splitlines():
                name, value, changed = line.split("\t")
                self._applied.pop(name, None)
                if changed == "1":
                    self._own[name] = value.encode().decode("unicode_escape") if "\\" in value else value
                else:
                    self._own.pop(name, None)

    def close(self) -> None:
        """Close the connection; its temporary tables go."""
        self._raw.close()


class Engine:
    """The one engine of this process, open on one data directory."""

    def __init__(self, data_dir: Path, config: Path) -> None:
        self._address = f"{data_dir}?config-file={config}"
        try:
            # Held open for as long as the engine is wanted: the last connection's close shuts it down.
            self._root = chdb.connect(self._address)
        except Exception as error:
            raise ConfigError(
                f"the engine does not start on {data_dir}: {from_engine(error).text}"
            ) from error
        self._control = Connection(self._root)
        self._control_lock = threading.Lock()
        self.version = self.scalar("SELECT version()")
        self.timezone = self.scalar("SELECT timezone()")
        self.control("CREATE DATABASE IF NOT EXISTS stir ENGINE = Atomic")

    def connect(self) -> Connection:
        """A new connection, that is a new ClickHouse session."""
        return Connection(chdb.connect(self._address))

    def control(self, sql: str) -> bytes:
        """Run a statement of the server's own; its result as TabSeparated."""
        with self._control_lock:
            return self._control.query(sql).bytes()

    def scalar(self, sql: str) -> str:
        """The only value of a query of the server's own."""
        return self.control(sql).decode().rstrip("\n")

    def statement_class(self, sql: bytes) -> tuple[str, int]:
        """What a text would do (READ_ONLY, MUTATING, MUTATING_GLOBAL, CONTROL, UNKNOWN), number of statements."""
        with self._control_lock:
            found = self._root._conn.classify_query(sql)  # pyright: ignore[reportOptionalMemberAccess]
        return found["query_class"].name, found["statement_count"]

    def kill(self, condition: str) -> int:
        """Stop the running queries for which `condition` on `system.processes` holds; how many there were."""
        sql = f"KILL QUERY WHERE ({condition}) AND query NOT ILIKE 'KILL %' ASYNC"
        return self.control(sql).count(b"\n")

    def close(self) -> None:
        """Shut the engine down."""
        self._control.close()
