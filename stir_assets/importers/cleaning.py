"""Small pure functions that turn the text of a CSV field into a value, or say why they cannot.

Nothing here knows a file, a table or a layout. `None` always means "the file does not say"; a value that is
there but wrong raises `RejectError` with a reason code, and a value that is repaired is counted by its caller
through the `Notes` it passes.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from datetime import UTC, date, datetime
from functools import lru_cache

Notes = Counter[str]
"""How often each repair or omission was done, by its name."""

MISSING = frozenset(
    {
        "",
        "-",
        "--",
        "n/a",
        "n/a'",
        "na",
        "nan",
        "nan%",
        "null",
        "none",
        "nil",
        "?",
        "#n/a",
        "#value!",
        "#valor!",
    }
    | {"#div/0!", "#ref!", "#name?", "#nome?", "#nombre?", "#null!", "#num!"}
)
"""Lower-case texts that stand for "unknown": blanks, spreadsheet errors in three languages, printed nulls."""

SPREADSHEET_ERROR = re.compile(
    r"#(?:NAME|NOME|NOMBRE|NOM|VALUE|VALOR|REF|N/A|DIV/0|NULL|NUM)[?!]?", re.IGNORECASE
)
VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")
SHORTCODE = re.compile(r"[A-Za-z0-9_-]{5,64}")
INSTAGRAM_LINK = re.compile(r"instagram\.com/(?:[^/?#]+/)?(p|reel|reels|tv)/([A-Za-z0-9_-]+)")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2,3})+(?:\.0*)?")
_DECIMAL = re.compile(r"(\d+(?:\.\d+)?)\s*([kmb])?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_TRENDING_DAY = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)")
_MOJIBAKE_SIGNS = ("Ã", "Â", "â€", "ðŸ")
_MAX_COUNT = 2**63 - 1
_MAX_EPOCH = 2**32 - 1
_NOON = 12 * 3600


class RejectError(Exception):
    """A row that cannot be used; `reason` is a stable code, `detail` the value that is wrong."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def is_missing(text: str) -> bool:
    """True for the many ways in which a file says "unknown"."""
    return text.strip().lower() in MISSING


def parse_count(text: str, notes: Notes) -> int | None:
    """A counter (views, likes, followers): a whole number of 0 or more, None when unknown.

    Understands `1432.0`, western and Indian grouping (`5,969`, `93,24,70,40,539`) and `212.1M` / `3.3k` / `29.0b`.
    A negative counter is impossible: it counts as unknown and is noted. Raises `RejectError("bad_number")`.
    """
    if text.isdecimal() and len(text) < 19:
        return int(text)
    value = parse_signed(text, notes)
    if value is not None and value < 0:
        notes["negative counter, taken as unknown"] += 1
        return None
    return value


def parse_signed(text: str, notes: Notes) -> int | None:
    """A whole number that may be negative (a weekly gain); the same spellings as `parse_count`."""
    plain = text.strip()
    if plain.lower() in MISSING:
        return None
    sign = -1 if plain[0] in "-\u2212" else 1
    body = plain.lstrip("+-\u2212").strip()
    if _GROUPED.fullmatch(body):
        notes["digit grouping removed"] += 1
        body = body.replace(",", "")
    match = _DECIMAL.fullmatch(body)
    if match is None:
        raise RejectError("bad_number", text)
    whole, _, fraction = match[1].partition(".")
    factor = _FACTORS[(match[2] or "").lower()]
    value = int(whole) * factor + round(float(f"0.{fraction or 0}") * factor)
    if value > _MAX_COUNT:
        raise RejectError("bad_number", text)
    return sign * value


def parse_flag(text: str) -> bool | None:
    """TRUE / False / 1 / no, in any case; None when unknown. Raises `RejectError("bad_flag")`."""
    plain = text.strip().lower()
    if plain in {"true", "1", "yes", "t", "y"}:
        return True
    if plain in {"false", "0", "no", "f", "n"}:
        return False
    if plain in MISSING:
        return None
    raise RejectError("bad_flag", text)


@lru_cache(maxsize=65_536)
def parse_day(text: str) -> int:
    """A day as seconds since 1970 UTC, at noon: the file says which day, not when in it.

    `YY.DD.MM` (day before month, the trending lists) or ISO `YYYY-MM-DD`. Raises `RejectError("bad_date")`.
    """
    plain = text.strip()
    match = _TRENDING_DAY.fullmatch(plain)
    try:
        if match:
            day = date(2000 + int(match[1]), int(match[3]), int(match[2]))
        else:
            day = date.fromisoformat(plain[:10])
            if len(plain) > 10:
                datetime.fromisoformat(plain)
    except ValueError as error:
        raise RejectError("bad_date", text) from error
    return _epoch(datetime(day.year, day.month, day.day, tzinfo=UTC), text) + _NOON


@lru_cache(maxsize=65_536)
def parse_moment(text: str) -> int | None:
    """An ISO moment as seconds since 1970 UTC (UTC when it names no zone), None when unknown.

    The first day of 1970 is what tools print for "no time": unknown. Raises `RejectError("bad_date")`.
    """
    plain = text.strip()
    if plain.lower() in MISSING:
        return None
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError as error:
        raise RejectError("bad_date", text) from error
    seconds = _epoch(moment if moment.tzinfo else moment.replace(tzinfo=UTC), text)
    return seconds if seconds >= 86_400 else None


def _epoch(moment: datetime, text: str) -> int:
    seconds = int(moment.timestamp())
    if not 0 <= seconds <= _MAX_EPOCH:
        raise RejectError("bad_date", text)
    return seconds


def clean_text(text: str, notes: Notes) -> str:
    """A title, name or caption: trimmed, HTML entities decoded, UTF-8 that was read as cp1252 repaired.

    U+FFFD cannot be repaired: the text is kept and noted, and a later clean spelling wins over it.
    """
    plain = text.strip()
    if plain.isascii():
        if "&" in plain:
            plain = _unescape(plain, notes)
        return plain
    if "&" in plain:
        plain = _unescape(plain, notes)
    if any(sign in plain for sign in _MOJIBAKE_SIGNS):
        plain = repair_mojibake(plain, notes)
    if "\ufffd" in plain:
        notes["text with U+FFFD"] += 1
    return plain


def _unescape(text: str, notes: Notes) -> str:
    decoded = html.unescape(text) if ";" in text else text
    if decoded != text:
        notes["HTML entities decoded"] += 1
    return decoded


def repair_mojibake(text: str, notes: Notes) -> str:
    """`CÃ´te` becomes `Côte`; text that is not UTF-8 read as cp1252 comes back as it is."""
    try:
        repaired = text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text
    notes["mojibake repaired"] += 1
    return repaired


def video_id(text: str) -> str:
    """A YouTube video id. Raises `RejectError` (`spreadsheet_error_id` when a spreadsheet ate it, `bad_video_id`)."""
    if VIDEO_ID.fullmatch(text):
        return text
    plain = text.strip()
    if SPREADSHEET_ERROR.fullmatch(plain):
        raise RejectError("spreadsheet_error_id", text)
    if VIDEO_ID.fullmatch(plain):
        return plain
    raise RejectError("bad_video_id", text)


def channel_id(text: str) -> str:
    """A YouTube channel id as the platform gives it. Raises `RejectError("bad_channel_id")`."""
    plain = text.strip()
    if CHANNEL_ID.fullmatch(plain):
        return plain
    raise RejectError("bad_channel_id", text)


@lru_cache(maxsize=65_536)
def derived_id(prefix: str, name: str) -> str:
    """A stable id for somebody whose platform id the file does not give: `title-<22 hex>`, `handle-<22 hex>`.

    The same name gives the same id in every file: case and white space do not count. The prefix keeps it apart
    from real ids, so nobody mistakes it for one. Two channels of the same title cannot be told apart.
    Raises `RejectError("no_author")` for an empty name.
    """
    folded = " ".join(name.split()).casefold()
    if not folded or folded in MISSING:
        raise RejectError("no_author", name)
    digest = hashlib.md5(folded.encode("utf-8"), usedforsecurity=False).hexdigest()
    return f"{prefix}-{digest[:22]}"


def clean_tags(text: str) -> str:
    """`"a"|"b"` (with the stray quotes a lenient reader leaves) becomes `a|b`; `[none]` becomes empty."""
    if text == "[none]":
        return ""
    return text.replace('"', "")


def category_number(text: str) -> int | None:
    """A YouTube category id (`24`), None when unknown. Raises `RejectError("bad_category")`."""
    plain = text.strip()
    if plain.isdecimal() and len(plain) < 5:
        return int(plain)
    if plain.lower() in MISSING:
        return None
    raise RejectError("bad_category", text)


def instagram_link(text: str) -> tuple[str, str]:
    """(form of the link: p, reel or tv; shortcode). Raises `RejectError("bad_link")`."""
    match = INSTAGRAM_LINK.search(text)
    if match is None:
        raise RejectError("bad_link", text)
    return ("reel" if match[1] == "reels" else match[1]), match[2]
