"""HTTP sessions: one chdb connection each, kept between requests until they expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stir_assets.local.clickhouse.engine import Connection, Engine
from stir_assets.local.clickhouse.errors import ClickHouseError, Code


@dataclass
class _Session:
    connection: Connection
    timeout: float
    busy: bool = False
    expires: float = field(default=0.0)


class Sessions:
    """All sessions of the server. Thread-safe."""

    def __init__(self, engine: Engine, default_timeout: int, max_timeout: int) -> None:
        self._engine = engine
        self._default_timeout = default_timeout
        self._max_timeout = max_timeout
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def timeout(self, text: str | None) -> int:
        """Seconds of `session_timeout`; raises INVALID_SESSION_TIMEOUT in ClickHouse's words."""
        if text is None:
            return self._default_timeout
        if not text.isdigit():
            raise ClickHouseError(Code.INVALID_SESSION_TIMEOUT, f"Invalid session timeout: '{text}'")
        seconds = int(text)
        if seconds > self._max_timeout:
            raise ClickHouseError(
                Code.INVALID_SESSION_TIMEOUT,
                f"Session timeout '{seconds}' is larger than max_session_timeout: {self._max_timeout}. "
                "Maximum session timeout could be modified in configuration file.",
            )
        return seconds

    @contextmanager
    def use(self, session_id: str, timeout: int, *, check: bool) -> Iterator[Connection]:
        """The session's connection for one request; a second concurrent request is refused."""
        session = self._acquire(session_id, timeout, check=check)
        try:
            yield session.connection
        finally:
            with self._lock:
                session.busy = False
                session.expires = time.monotonic() + session.timeout

    def _acquire(self, session_id: str, timeout: int, *, check: bool) -> _Session:
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and not session.busy and session.expires < time.monotonic():
                self._sessions.pop(session_id).connection.close()
                session = None
            if session is None:
                if check:
                    raise ClickHouseError(Code.SESSION_NOT_FOUND, f"Session {session_id} not found")
                session = _Session(self._engine.connect(), timeout)
                self._sessions[session_id] = session
            elif session.busy:
                raise ClickHouseError(
                    Code.SESSION_IS_LOCKED, f"Session {session_id} is locked by a concurrent client"
                )
            session.busy = True
            session.timeout = timeout
            return session

    def expire(self) -> None:
        """Close the sessions whose time is over; called from the server's housekeeping."""
        now = time.monotonic()
        with self._lock:
            over = [
                key for key, session in self._sessions.items() if not session.busy and session.expires < now
            ]
            for key in over:
                self._sessions.pop(key).connection.close()

    def drop(self, session_id: str) -> None:
        """End a session now (`close_session=1`)."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is not None and not session.busy:
                self._sessions.pop(session_id).connection.close()

    def close(self) -> None:
        """Close every session."""
        with self._lock:
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()
