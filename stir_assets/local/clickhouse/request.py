"""One HTTP request as ClickHouse reads it: parameters, credentials, settings, body, external tables."""

from __future__ import annotations

import base64
import hmac
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from python_multipart.multipart import MultipartParser, parse_options_header

from stir_assets.local.clickhouse.body import Body, EmptyBody
from stir_assets.local.clickhouse.errors import ClickHouseError, Code

# Parameters of the interface itself; everything else in the URL is a setting or a query parameter.
_INTERFACE = frozenset(
    [
        "query",
        "user",
        "password",
        "quota_key",
        "query_id",
        "stacktrace",
        "role",
        "buffer_size",
        "wait_end_of_query",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "client_protocol_version",
        "database",
        "default_format",
        "compress",
        "decompress",
        "http_wait_end_of_query",
        "http_response_buffer_size",
        "enable_http_compression",
        "http_zlib_compression_level",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "add_http_cors_header",
        "cancel_http_readonly_queries_on_client_close",
    ]
)
_EXTERNAL_SUFFIXES = ("_format", "_types", "_structure")
_SPOOL_BYTES = 1 << 20


@dataclass
class ExternalTable:
    """A table sent with the query: name, its rows in a spooled file."""

    name: str
    rows: BinaryIO
    fmt: str = "TabSeparated"
    structure: str = ""


@dataclass
class Request:
    """Parsed request. `params` holds URL and form fields, `headers` has lower-case names."""

    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]
    body: Body
    external: list[ExternalTable] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return self.params.get(name, "0").lower() not in ("", "0", "false")

    @property
    def settings(self) -> dict[str, str]:
        """The engine settings among the parameters."""
        taken = {table.name + suffix for table in self.external for suffix in _EXTERNAL_SUFFIXES}
        return {
            name: value
            for name, value in self.params.items()
            if name not in _INTERFACE and not name.startswith("param_") and name not in taken
        }

    @property
    def query_params(self) -> dict[str, str]:
        """Values of `{name:Type}` placeholders, escaped as in TabSeparated, as the interface defines them."""
        return {name[6:]: value for name, value in self.params.items() if name.startswith("param_")}

    @property
    def database(self) -> str | None:
        """The database asked for."""
        return self.params.get("database") or self.headers.get("x-clickhouse-database") or None

    @property
    def default_format(self) -> str:
        """The output format of a query that names none."""
        return self.headers.get("x-clickhouse-format") or self.params.get("default_format") or "TabSeparated"

    def check_credentials(self, user: str, password: str) -> None:
        """Raise AUTHENTICATION_FAILED (403) or REQUIRED_PASSWORD (401) unless user and password are right.

        Compares in constant time. An empty `password` of the server accepts any password.
        """
        given_user, given_password, given = self._credentials()
        right_user = hmac.compare_digest(given_user.encode(), user.encode())
        right_password = not password or hmac.compare_digest(given_password.encode(), password.encode())
        if right_user and right_password:
            return
        if not given:
            raise ClickHouseError(
                Code.REQUIRED_PASSWORD, f"{given_user}: Authentication failed: password is required"
            )
        raise ClickHouseError(
            Code.AUTHENTICATION_FAILED,
            f"{given_user}: Authentication failed: password is incorrect, or there is no user with such name",
        )

    def _credentials(self) -> tuple[str, str, bool]:
        headers, params = self.headers, self.params
        by_header = "x-clickhouse-user" in headers or "x-clickhouse-key" in headers
        basic = headers.get("authorization", "")
        by_url = "user" in params or "password" in params
        if (by_header and basic) or (by_header and by_url) or (basic and by_url):
            raise ClickHouseError(
                Code.AUTHENTICATION_FAILED,
                "Invalid authentication: it is not allowed to use several of X-ClickHouse HTTP headers, "
                "Authorization HTTP header and authentication via parameters simultaneously",
            )
        if by_header:
            return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", ""), True
        if basic:
            return (*_basic(basic), True)
        return params.get("user", "default"), params.get("password", ""), by_url


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ClickHouseError(
            Code.AUTHENTICATION_FAILED,
            f"Invalid authentication: '{scheme}' HTTP Authorization scheme is not supported",
        )
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise ClickHouseError(
            Code.AUTHENTICATION_FAILED, "Invalid authentication: malformed Authorization header"
        ) from None
    return user, password


def parse_params(query_string: str) -> dict[str, str]:
    """URL parameters; bytes that are not UTF-8 survive as surrogates."""
    return dict(parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape"))


class _Form:
    """Collects the parts of a multipart form: fields in memory, files in spooled temporary files."""

    def __init__(self, spool_dir: Path) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[ExternalTable] = []
        self._spool_dir = spool_dir
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._target: Any = None
        self._name = ""

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._header_name = self._header_value = self._disposition = b""

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "surrogateescape")
        if b"filename" in options:
            # Closed by the request handler, which reads it after the form has ended.
            self._target = tempfile.SpooledTemporaryFile(  # noqa: SIM115
                max_size=_SPOOL_BYTES, dir=str(self._spool_dir)
            )
        else:
            self._target = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = data[start:end]
        if isinstance(self._target, bytearray):
            self._target += part
        else:
            self._target.write(part)

    def _end(self) -> None:
        if isinstance(self._target, bytearray):
            self.fields[self._name] = bytes(self._target).decode("utf-8", "surrogateescape")
        else:
            self._target.seek(0)
            self.files.append(ExternalTable(self._name, self._target))


def read_form(request: Request, content_type: str, spool_dir: Path) -> None:
    """Read a multipart body into `request`: fields join the parameters, files become external tables."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise ClickHouseError(Code.BAD_ARGUMENTS, "multipart/form-data without a boundary")
    form = _Form(spool_dir)
    parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
    try:
        while data := request.body.read():
            parser.write(data)
        parser.finalize()
    except ClickHouseError:
        raise
    except Exception as error:
        raise ClickHouseError(Code.BAD_ARGUMENTS, f"Cannot read the multipart form: {error}") from None
    request.params.update(form.fields)
    request.body = EmptyBody()
    for table in form.files:
        _describe(table, request.params)
        request.external.append(table)


def _describe(table: ExternalTable, params: Mapping[str, str]) -> None:
    table.fmt = params.get(f"{table.name}_format", table.fmt)
    structure = params.get(f"{table.name}_structure")
    types = params.get(f"{table.name}_types")
    if structure:
        table.structure = structure
    elif types:
        table.structure = ", ".join(f"_{i} {kind}" for i, kind in enumerate(_split_types(types), 1))
    else:
        raise ClickHouseError(
            Code.BAD_ARGUMENTS,
            f"Neither {table.name}_structure nor {table.name}_types have not been provided for external table "
            f"{table.name}. Use fields {table.name}_structure or {table.name}_types to do so",
        )


def _split_types(types: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for at, char in enumerate(types):
        if char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(types[begin:at].strip())
            begin = at + 1
    return [*parts, types[begin:].strip()]
