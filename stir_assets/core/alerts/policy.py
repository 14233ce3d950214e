"""Where and when people are told: channels by owner and severity, quiet hours, the digest's hour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stir_assets.core.alerts.model import Severity
from stir_assets.errors import ConfigError

DEFAULT_CHANNEL = "#stir-alerts"
_QUIET = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)(?: (\S+))?")
_DIGEST = re.compile(r"(\d\d:\d\d)(?: (\S+))?")
_FORM = 'like "22:00-07:00" or "22:00-07:00 Europe/Berlin"'


@dataclass(frozen=True)
class QuietHours:
    """From `start` to `end`, wall time of `zone`, over midnight if need be."""

    start: time
    end: time
    zone: tzinfo = UTC

    def contain(self, now: float) -> bool:
        """Whether it is quiet at `now`."""
        wall = datetime.fromtimestamp(now, self.zone).time()
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


@dataclass(frozen=True)
class DailyDigest:
    """A summary every day at this wall time."""

    at: time
    zone: tzinfo = UTC

    def last_due(self, now: float) -> float:
        """The last moment at or before `now` at which it was due."""
        moment = datetime.fromtimestamp(now, self.zone)
        due = moment.replace(hour=self.at.hour, minute=self.at.minute, second=0, microsecond=0)
        return (due if due <= moment else due - timedelta(days=1)).timestamp()


@dataclass(frozen=True)
class AlertPolicy:
    """Knobs of alerting, with the reason for each default. Durations in seconds."""

    channel: str = DEFAULT_CHANNEL
    routes: Mapping[str, str] = field(default_factory=dict)
    """`owner/severity`, `owner` or `severity` to channel; the most specific wins."""
    quiet: QuietHours | None = None
    digest: DailyDigest | None = None
    settle_at_risk: float = 300.0
    """A promise at risk must stay so: the next run is often on its way."""
    recover_after: float = 180.0
    """A cause must be gone this long before it is called so."""
    reopen_within: float = 1800.0
    """What comes back this soon goes on in its old thread."""
    update_every: float = 600.0
    """Replies of one incident are at least this far apart, unless it gets worse."""
    keep_closed: float = 86_400.0
    keep_history: int = 60

    def channel_for(self, owner: str, severity: Severity) -> str:
        """The channel for an incident."""
        for name in (f"{owner}/{severity}", owner, str(severity)):
            if name in self.routes:
                return self.routes[name]
        return self.channel

    def is_quiet(self, now: float) -> bool:
        """Whether only what is critical may be told."""
        return self.quiet is not None and self.quiet.contain(now)


def parse_quiet(text: str, *, where: str) -> QuietHours | None:
    """Quiet hours from a setting, None when it is empty. Raises `ConfigError` naming `where`."""
    if not text.strip():
        return None
    match = _QUIET.fullmatch(text.strip())
    if not match:
        raise ConfigError(f"{where}={text!r}: write it {_FORM}")
    start, end = _wall(match[1], where), _wall(match[2], where)
    if start == end:
        raise ConfigError(f"{where}={text!r}: quiet hours that never end; leave it empty for none")
    return QuietHours(start, end, _zone(match[3], where))


def parse_digest(text: str, *, where: str) -> DailyDigest | None:
    """The digest's hour from a setting, None when it is empty. Raises `ConfigError` naming `where`."""
    if not text.strip():
        return None
    match = _DIGEST.fullmatch(text.strip())
    if not match:
        raise ConfigError(f'{where}={text!r}: write it like "08:00" or "08:00 Europe/Berlin"')
    return DailyDigest(_wall(match[1], where), _zone(match[2], where))


def parse_routes(text: str, *, where: str) -> dict[str, str]:
    """`scraping/critical=#oncall, product=#product` as a mapping. Raises `ConfigError` naming `where`."""
    routes = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, channel = (piece.strip() for piece in part.partition("="))
        severity = name.rpartition("/")[2] if "/" in name else "critical"
        if not (sign and name and channel) or severity not in ("critical", "warning"):
            raise ConfigError(
                f"{where}: {part!r} is no route; write owner=#channel, critical=#channel or "
                "owner/critical=#channel (severities: critical, warning)"
            )
        routes[name] = channel
    return routes


def _wall(text: str, where: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{where}: {text} is not a time of day") from None


def _zone(name: str | None, where: str) -> tzinfo:
    if name is None or name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"{where}: {name!r} is not a time zone such as Europe/Berlin") from None
