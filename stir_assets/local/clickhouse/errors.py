"""ClickHouse errors as the HTTP interface reports them: code, name, text, HTTP status.

Source of the codes and of the status table: ClickHouse's `ErrorCodes.cpp` and `exceptionCodeToHTTPStatus.cpp`.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Code(IntEnum):
    """The ClickHouse error codes that this server raises itself; the engine raises all others."""

    UNEXPECTED_END_OF_FILE = 3
    CANNOT_PARSE_INPUT_ASSERTION_FAILED = 27
    BAD_ARGUMENTS = 36
    CHECKSUM_DOESNT_MATCH = 40
    NOT_IMPLEMENTED = 48
    LOGICAL_ERROR = 49
    SYNTAX_ERROR = 62
    UNKNOWN_COMPRESSION_METHOD = 89
    UNKNOWN_SETTING = 115
    READONLY = 164
    REQUIRED_PASSWORD = 194
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    NETWORK_ERROR = 210
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
    QUERY_IS_TOO_LARGE = 229
    CANNOT_DECOMPRESS = 271
    INTO_OUTFILE_NOT_ALLOWED = 358
    SESSION_NOT_FOUND = 372
    SESSION_IS_LOCKED = 373
    INVALID_SESSION_TIMEOUT = 374
    HTTP_LENGTH_REQUIRED = 381
    QUERY_WAS_CANCELLED = 394
    AUTHENTICATION_FAILED = 516
    UNKNOWN_EXCEPTION = 1002


_CODES_BY_STATUS: dict[int, tuple[int, ...]] = {
    # BAD_ARGUMENTS, SYNTAX_ERROR, TYPE_MISMATCH, CANNOT_PARSE_*, DUPLICATE_COLUMN, TOO_DEEP_AST ...
    400: (
        *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376),
        *(427, 441, 675, 676),
    ),
    401: (194,),
    403: (192, 193, 497, 512, 516),
    # UNKNOWN_TABLE, _DATABASE, _FUNCTION, _IDENTIFIER, _SETTING, _FORMAT ...
    404: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    408: (159,),
    411: (381,),
    413: (229,),
    415: (779,),
    501: (48,),
    503: (76, 209, 439),
}
_STATUS_BY_CODE = {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes}

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_VERSION_AT_END = re.compile(r" \(version [^()]*(?:\([^()]*\))?\)\.?\s*$")
_NAME_AT_END = re.compile(r" \(([A-Z][A-Z0-9_]+)\)\.?\s*$")
_OUR_PIPE = re.compile(
    r":? ?\(in file/uri /dev/fd/\d+\)|: While executing File(?=: data for)|: data for INSERT was parsed from file"
)


class ClickHouseError(Exception):
    """One ClickHouse exception: `code` (as in ErrorCodes), `name`, and `text` without prefix and version."""

    def __init__(self, code: int, text: str, name: str | None = None) -> None:
        super().__init__(text)
        self.code = int(code)
        self.text = text
        self.name = name or (Code(code).name if code in Code.__members__.values() else "UNKNOWN_EXCEPTION")

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse answers with for this code."""
        return _STATUS_BY_CODE.get(self.code, 500)

    def message(self, version: str) -> str:
        """The line a ClickHouse server writes into the response body."""
        return f"Code: {self.code}. DB::Exception: {self.text} ({self.name}) (version {version} (official build))\n"


def from_engine(error: BaseException | str) -> ClickHouseError:
    """Turn what the engine raised into a `ClickHouseError`.

    The engine's embedded client wraps what its server side said once or twice
    (`Code: 33. DB::Exception: Code: 33. DB::Exception: ... (NAME) (version ...). (NAME)`). Only the innermost
    is what a server would have sent. Mentions of the pipes we feed the engine through are taken out as well.
    """
    raw = str(error)
    prefixes = list(_CODE.finditer(raw))
    if not prefixes:
        return ClickHouseError(Code.UNKNOWN_EXCEPTION, raw.strip() or type(error).__name__)
    depth = 1
    while depth < len(prefixes) and prefixes[depth].start() == prefixes[depth - 1].end():
        depth += 1
    innermost = prefixes[depth - 1]
    text = raw[innermost.end() :].strip()
    name = None
    for _ in range(depth):
        text = _VERSION_AT_END.sub("", text)
        found = _NAME_AT_END.search(text)
        if found is None:
            break
        name = found.group(1)
        text = text[: found.start()]
    text = _VERSION_AT_END.sub("", text)
    return ClickHouseError(int(innermost.group(1)), _OUR_PIPE.sub("", text), name)
