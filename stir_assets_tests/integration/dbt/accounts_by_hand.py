"""Rules that Instagram profiles and YouTube channels share, in plain Python: text, size, peers, grades, ranks.

What the dbt models are compared with; written from the description of the models, knows nothing of their SQL.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

Row = dict[str, Any]
MARKET, MARKET_NAME = "IN", "India"
GRADES = ("Poor", "Average", "Good", "Very Good", "Excellent")
LEVELS = (0.4, 0.6, 0.75, 0.9)
SMALLEST_GROUP = 101
MEAN_CEILING = 1e10
SIZES = (
    (5_000, "0-5k"),
    (10_000, "5k-10k"),
    (50_000, "10k-50k"),
    (100_000, "50k-100k"),
    (500_000, "100k-500k"),
    (1_000_000, "500k-1M"),
    (math.inf, "1M+"),
)
LABELS = ((1_000, "Nano"), (75_000, "Micro"), (1_000_000, "Macro"), (math.inf, "Mega"))


def text(value: Any) -> str | None:
    """A text that says something: not empty, not the word NULL."""
    cleaned = str(value).strip() if value is not None else ""
    return None if cleaned in ("", "NULL") else cleaned


def first(*choices: tuple[Any, str | None]) -> tuple[Any, str | None]:
    """The first (value, source) with a value."""
    return next((choice for choice in choices if choice[0] is not None), (None, None))


def size(followers: int, classes: Sequence[tuple[float, str]] = SIZES) -> str:
    return next(name for below, name in classes if followers < below)


def group(*parts: str | None) -> str:
    return "_".join(part or "MISSING" for part in parts)


def language(code: str | None) -> str | None:
    base = (text(code) or "").lower().split("-")[0]
    return {"kn": "ka"}.get(base, base) or None


def phone_key(client: Client) -> str:
    return client.query("select key from stir_keys.phone_key final").result_rows[0][0]


def phone(number: str | None, key: str) -> tuple[str | None, str | None]:
    """Hash and mask of a phone number; `key` is the stored one."""
    digits = re.sub(r"\D", "", number or "")
    if len(digits) < 10:
        return None, None
    return hashlib.sha256((key + digits[-10:]).encode()).hexdigest(), "******" + digits[-4:]


def quotient(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def percentile(ordered: Sequence[float], level: float) -> float:
    place = level * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def peer_statistics(
    rows: Iterable[Row], metrics: Iterable[str], keep_small_secondary: bool
) -> dict[str, Row]:
    """group_key -> profiles, and per metric four percentiles and a mean (None without positive values)."""
    members: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        members[row["primary_group"], True].append(row)
        members[row["secondary_group"], False].append(row)
    groups: dict[str, Row] = {}
    for (key, is_primary), peers in members.items():
        if len(peers) < SMALLEST_GROUP and (is_primary or not keep_small_secondary):
            continue
        groups[key] = {"profiles": len(peers)}
        for metric in metrics:
            values = sorted(float(peer[metric]) for peer in peers if peer[metric] and peer[metric] > 0)
            believable = [value for value in values if value < MEAN_CEILING]
            for level in LEVELS:
                name = f"p{round(100 * level)}_{metric}"
                groups[key][name] = percentile(values, level) if values else None
            groups[key][f"group_avg_{metric}"] = (
                math.fsum(believable) / len(believable) if believable else None
            )
    return groups


def grade(value: float | None, peers: Row, metric: str) -> str | None:
    limits = [peers.get(f"p{round(100 * level)}_{metric}") for level in LEVELS]
    if not value or limits[-1] is None:
        return None
    # a value that equals a limit is not above it, whatever the last bit of the interpolation says
    above = [
        limit is not None and value > limit and not math.isclose(value, limit, rel_tol=1e-12)
        for limit in limits
    ]
    return GRADES[max((place + 1 for place, is_above in enumerate(above) if is_above), default=0)]


def rank(rows: list[Row], name: str, scope: Callable[[Row], Any]) -> None:
    """Writes the rank by followers inside the scope; equal followers share a rank, the next one is skipped."""
    scopes: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        scopes[scope(row)].append(row)
    for members in scopes.values():
        members.sort(key=lambda row: -row["followers"])
        for place, row in enumerate(members, start=1):
            is_tie = place > 1 and members[place - 2]["followers"] == row["followers"]
            row[name] = members[place - 2][name] if is_tie else place
