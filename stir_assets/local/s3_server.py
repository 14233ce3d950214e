"""The S3 server of the local stack: moto's application behind a server of our own.

`python -m stir_assets.local.s3_server --port N`. moto's own command would accept any credentials, log every
request with its query string (presigned signatures included) and close the connection after each one.

Objects up to 1 MB are kept in memory, larger ones in unnamed files below TMPDIR: deleting an object frees
both at once, so the footprint follows what is staged at that moment. Everything is gone after a restart.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

# Read by moto when it is imported.
os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(2**20))

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_COLLECT_ABOVE_BYTES = 2**20

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")
_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidAccessKeyId</Code>'
    b"<Message>The AWS access key ID you provided is not the one of this stack: load its settings with "
    b'eval "$(stir env)"</Message></Error>'
)


class KeyCheck:
    """Lets a request pass only with the access key of this stack, in its header or presigned query.

    The signature itself is not verified: on loopback the random key id is the secret that keeps the other
    users of the machine out.
    """

    def __init__(self, application: Wsgi, access_key: str) -> None:
        self._application = application
        self._access_key = access_key

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _access_key(environ) == self._access_key:
            return self._application(environ, start_response)
        # The body is not read, so the connection cannot be used again.
        headers = [
            ("Content-Type", "application/xml"),
            ("Content-Length", str(len(_DENIED))),
            ("Connection", "close"),
        ]
        start_response("403 Forbidden", headers)
        return [_DENIED]


def _access_key(environ: dict[str, Any]) -> str | None:
    header = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if header:
        return header.group(1)
    query = parse_qs(environ.get("QUERY_STRING", ""))
    credential = query.get("X-Amz-Credential", [""])[0]
    return credential.split("/")[0] or (query.get("AWSAccessKeyId") or [None])[0]


class QuietHandler(MotoRequestHandler):
    """Keeps connections open, logs nothing per request."""

    protocol_version = "HTTP/1.1"
    # Without it a response waits for the client's delayed acknowledgement: 40 ms for each small request.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        super().run_wsgi()
        # moto's request objects form cycles that hold the whole body until the collector comes by, which
        # counts objects and not bytes: a few big transfers would pile up.
        if self._bytes_held() >= _COLLECT_ABOVE_BYTES:
            gc.collect()

    def _bytes_held(self) -> int:
        """Size of the request body; for a download, whose size is not known here, enough to collect after it."""
        if self.command == "GET" and "list-type" not in self.path:
            return _COLLECT_ABOVE_BYTES
        length = self.headers.get("Content-Length", "0")
        return int(length) if length.isdigit() else _COLLECT_ABOVE_BYTES

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    """Serve until SIGTERM or SIGINT. Credentials come from AWS_ACCESS_KEY_ID."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    if not access_key:
        sys.exit("AWS_ACCESS_KEY_ID is not set: it is the key that clients must use")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    application = KeyCheck(DomainDispatcherApplication(create_backend_app), access_key)
    server = make_server(
        arguments.host, arguments.port, application, threaded=True, request_handler=QuietHandler
    )
    # What is loaded by now stays: leaving it out makes each collection take a millisecond.
    gc.collect()
    gc.freeze()
    server.serve_forever()


if __name__ == "__main__":
    main()
