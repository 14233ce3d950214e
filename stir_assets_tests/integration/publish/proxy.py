"""A TCP proxy in front of PostgreSQL that loses the connection exactly at the commit of a swap."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

# `before`: the script never arrives. `after`: it is carried out, the answer is lost. `during`: lost while it runs.
Moment = Literal["before", "after", "during"]


class Proxy:
    """Passes everything on, except the message that holds `trigger`: there, once, the client is cut off."""

    def __init__(self, dsn: str, trigger: bytes, moment: Moment) -> None:
        parts = urlsplit(dsn)
        self._server = (parts.hostname or "", parts.port or 5432)
        self._trigger, self._moment = trigger, moment
        self.cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        login = parts.netloc.rpartition("@")[0]
        # Not encrypted, because the trigger is searched for in the traffic.
        self.dsn = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}", query="sslmode=disable"))

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if server in ready:
                    if not (data := server.recv(1 << 20)):
                        return
                    client.sendall(data)
                if client in ready:
                    if not (data := client.recv(1 << 20)):
                        return
                    if self._trigger in data and not self.cut.is_set():
                        self._lose(client, server, data)
                        return
                    server.sendall(data)

    def _lose(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        self.cut.set()
        if self._moment == "before":
            return
        server.sendall(data)
        if self._moment == "after":
            server.recv(1)  # the answer comes after the commit
            return
        client.close()
        while server.recv(1 << 16):
            pass
