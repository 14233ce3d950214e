"""A scrape flow: its terms, what one look at the scraper's log says of it, and the states it can be in.

Plain values. Times are seconds since the epoch (UTC), ages and windows are `timedelta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum

from stir_assets.core.durations import parse_duration
from stir_assets.errors import ConfigError


class FlowState(IntEnum):
    """From good to bad; the order is used by the hysteresis."""

    HEALTHY = 0
    AT_RISK = 1
    STALE = 2
    DOWN = 3

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class FailureClass(StrEnum):
    """Why a request failed, by the code in brackets that its error text begins with."""

    NOTHING_FOUND = "204"
    CONFLICT = "409"
    RATE_LIMITED = "429"
    OTHER = "other"


# The target is gone or busy: nothing is wrong with the scraper.
NOT_ITS_FAULT = frozenset({FailureClass.NOTHING_FOUND, FailureClass.CONFLICT})

RECENT = timedelta(hours=6)
"""Outcomes are counted over this time."""
LOG_WINDOW = timedelta(days=7)
"""How far back the log is read; a waiting request older than this is forgotten."""


@dataclass(frozen=True)
class FlowTerms:
    """One flow as it is declared in `flows.py`.

    `feeds` are the source tables (`schema/table`) in which its successes appear. The ages: `stale` and `down`
    count from the oldest request that no success followed, `backlog` is how long a request may wait for pick-up,
    `stuck` how long one may be worked on, `quiet` how long nobody need ask for it. `failures` is the tolerable
    share (0 to 1) of finished requests that failed by the scraper's fault, among at least `sample`.
    `unanswered` is how many requests must go without a success before it is called stale.
    """

    name: str
    platform: str
    feeds: tuple[str, ...]
    stale: timedelta
    down: timedelta
    backlog: timedelta
    quiet: timedelta
    stuck: timedelta = timedelta(hours=2)
    failures: float = 0.3
    sample: int = 10
    unanswered: int = 3

    def __post_init__(self) -> None:
        if not self.stale < self.down:
            raise ConfigError(f"scrape flow {self.name}: stale must be shorter than down")
        if not 0 < self.failures <= 1:
            raise ConfigError(f"scrape flow {self.name}: failures is a share, more than 0 and at most 1")
        if not self.feeds or self.unanswered < 1 or self.sample < 1:
            raise ConfigError(f"scrape flow {self.name}: needs feeds, and unanswered and sample of 1 or more")

    @property
    def key(self) -> str:
        """Its asset, as a string."""
        return f"scrape/{self.name}"


def flow(name: str, platform: str, *feeds: str, stale: str, down: str, backlog: str, quiet: str) -> FlowTerms:
    """Terms with durations as people write them ("30m"). Raises `ConfigError` naming the flow."""
    try:
        return FlowTerms(
            name,
            platform,
            feeds,
            stale=parse_duration(stale),
            down=parse_duration(down),
            backlog=parse_duration(backlog),
            quiet=parse_duration(quiet),
        )
    except ValueError as error:
        raise ConfigError(f"scrape flow {name}: {error}") from None


@dataclass(frozen=True)
class FlowFacts:
    """What one look at the log says of a flow, as of the log's own clock (`as_of`).

    Counts of `finished`, `succeeded` and `failed` are of the last `RECENT`; waiting requests are
    counted however old they are, within `LOG_WINDOW`.
    """

    as_of: float
    requested: int = 0
    newest_request: float | None = None
    newest_success: float | None = None
    succeeded: int = 0
    failed: Mapping[FailureClass, int] = field(default_factory=dict)
    pending: int = 0
    oldest_pending: float | None = None
    processing: int = 0
    oldest_pickup: float | None = None
    stuck: int = 0
    unanswered: int = 0
    unanswered_since: float | None = None
    """When the oldest request was made that no later success followed; None when there is none."""

    @property
    def finished(self) -> int:
        """Requests with an outcome."""
        return self.succeeded + sum(self.failed.values())

    @property
    def failure_share(self) -> float:
        """Share of finished requests that failed by the scraper's fault: rate limits and errors."""
        faults = sum(count for kind, count in self.failed.items() if kind not in NOT_ITS_FAULT)
        return faults / self.finished if self.finished else 0.0
