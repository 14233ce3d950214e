"""ClickHouse errors as the HTTP interface reports them: code, name, text, HTTP status.

Source of codes and of the status table: ClickHouse's `ErrorCodes.cpp` and `exceptionCodeToHTTPStatus.cpp`.
"""

from __future__ import annotations

import re

BAD_ARGUMENTS = 36
UNKNOWN_FORMAT = 73
SYNTAX_ERROR = 62
NOT_IMPLEMENTED = 48
LOGICAL_ERROR = 49
UNKNOWN_SETTING = 115
INCORRECT_DATA = 117
TIMEOUT_EXCEEDED = 159
READONLY = 164
REQUIRED_PASSWORD = 194
QUERY_WITH_SAME_ID = 216
NETWORK_ERROR = 210
CANNOT_DECOMPRESS = 271
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
INTO_OUTFILE_NOT_ALLOWED = 81081
QUERY_WAS_CANCELLED = 394
AUTHENTICATION_FAILED = 516
TOO_MANY_SIMULTANEOUS_QUERIES = 202
UNKNOWN_EXCEPTION = 1002
HTTP_LENGTH_REQUIRED = 381

_NAMES = {
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    SYNTAX_ERROR: "SYNTAX_ERROR",
    UNKNOWN_FORMAT: "UNKNOWN_FORMAT",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    LOGICAL_ERROR: "LOGICAL_ERROR",
    UNKNOWN_SETTING: "UNKNOWN_SETTING",
    INCORRECT_DATA: "INCORRECT_DATA",
    TIMEOUT_EXCEEDED: "TIMEOUT_EXCEEDED",
    READONLY: "READONLY",
    REQUIRED_PASSWORD: "REQUIRED_PASSWORD",
    QUERY_WITH_SAME_ID: "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
    NETWORK_ERROR: "NETWORK_ERROR",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    INVALID_SESSION_TIMEOUT: "INVALID_SESSION_TIMEOUT",
    QUERY_WAS_CANCELLED: "QUERY_WAS_CANCELLED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    TOO_MANY_SIMULTANEOUS_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    UNKNOWN_EXCEPTION: "UNKNOWN_EXCEPTION",
    HTTP_LENGTH_REQUIRED: "HTTP_LENGTH_REQUIRED",
}

_STATUS = {
    401: {194},
    403: {192, 193, 497, 512, 516},
    # CANNOT_PARSE_*, SYNTAX_ERROR, TYPE_MISMATCH, BAD_ARGUMENTS, DUPLICATE_COLUMN and the like
    400: {6, 8, 15, 25, 26, 27, 36, 38, 41, 44, 53, 56, 57 - 1, 62, 69, 72, 117, 167, 168, 190, 223, 224, 339}
    | {427, 676, 675, 645},
    404: {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 120, 336, 511},
    408: {159},
    411: {381},
    413: {133},
    415: {678},
    501: {48},
    503: {76, 209, 439},
}
_STATUS_BY_CODE = {code: status for status, codes in _STATUS.items() for code in codes}

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_VERSION = re.compile(r" \(version [^()]*(?:\([^()]*\))?\)")
_PIPE = re.compile(r":? ?\(in file/uri /dev/fd/\d+\)|: While executing File|: data for INSERT was parsed from file")
_NAME_AT_END = re.compile(r" \(([A-Z][A-Z0-9_]+)\)\s*$")


class ClickHouseError(Exception):
    """One ClickHouse exception: `code` (ErrorCodes), `text` without prefix and version, `name`."""

    def __init__(self, code: int, text: str, name: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.name = name or _NAMES.get(code, "UNKNOWN_EXCEPTION")

    @property
    def status(self) -> int:
        """The HTTP status ClickHouse answers with for this code."""
        return _STATUS_BY_CODE.get(self.code, 500)

    def message(self, version: str) -> str:
        """The line a ClickHouse server writes into the response body."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version} (official build))\n"


def from_engine(error: BaseException | str) -> ClickHouseError:
    """Turn the text of an exception from the engine into a `ClickHouseError`.

    The engine's embedded client wraps what its server part said once or twice
    (`Code: 33. DB::Exception: Code: 33. DB::Exception: ... (NAME) (version ...). (NAME)`); only the innermost
    is what a server would have sent. Mentions of our own pipes are taken out as well.
    """
    raw = str(error)
    prefixes = list(_CODE.finditer(raw))
    if not prefixes:
        return ClickHouseError(UNKNOWN_EXCEPTION, raw.strip() or type(error).__name__)
    wrapped = 1
    while wrapped < len(prefixes) and prefixes[wrapped].start() == prefixes[wrapped - 1].end():
        wrapped += 1
    innermost = prefixes[wrapped - 1]
    text = raw[innermost.end() :].strip()
    name = None
    for _ in range(wrapped):
        text = _VERSION.sub("", text).rstrip(". \n") if _VERSION.search(text[-200:]) else text.rstrip(" \n")
        found = _NAME_AT_END.search(text)
        if found is None:
            break
        name = found.group(1)
        text = text[: found.start()]
        if wrapped > 1:
            text = text.rstrip()
    return ClickHouseError(int(innermost.group(1)), _PIPE.sub("", text), name)
