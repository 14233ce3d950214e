"""What is told to people: findings (what is wrong now), incidents (what was told of them), messages (what to send).

Plain values that go to JSON and back: the whole memory of alerting is one `Memory`, a few kilobytes.
Times are seconds since the epoch (UTC).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any


class Severity(IntEnum):
    """CRITICAL is told at any hour; WARNING waits for the end of the quiet hours."""

    WARNING = 1
    CRITICAL = 2

    def __str__(self) -> str:
        return self.name.lower()


class Kind(StrEnum):
    """What is wrong. docs/alerts.md says of each what to do."""

    RUN_FAILED = "run failed"
    GIVEN_UP = "given up after retries"
    REFUSED = "publication refused"
    FLOW_STALE = "scrape flow stale"
    FLOW_DOWN = "scrape flow down"
    SENSOR_FAILING = "sensor failing"
    SOURCE_STOPPED = "source stopped"
    SOURCE_CLOCK = "source clock ahead"
    SOURCE_LATE = "source data late"
    SOURCE_VOLUME = "source volume unusual"
    AT_RISK = "promise at risk"
    BROKEN = "promise broken"


# Kinds of one family replace each other: a promise at risk that breaks is one finding that got worse.
_FAMILY = {
    Kind.RUN_FAILED: "failure",
    Kind.GIVEN_UP: "failure",
    Kind.REFUSED: "failure",
    Kind.FLOW_STALE: "flow",
    Kind.FLOW_DOWN: "flow",
    Kind.AT_RISK: "promise",
    Kind.BROKEN: "promise",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong now.

    `root` names the incident it belongs to, `related` other roots whose open incident it joins instead: what
    breaks together is told together. `text` is for people, one to a few lines; `path` is where to look, below the
    address of Dagster's UI.
    """

    root: str
    subject: str
    kind: Kind
    severity: Severity
    text: str
    owner: str
    path: str = ""
    related: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The same while one thing stays wrong, whatever its text and severity."""
        return f"{_FAMILY.get(self.kind, self.kind)}:{self.subject}"

    @property
    def is_effect(self) -> bool:
        """Promises suffer from something; the rest are causes."""
        return self.kind in (Kind.AT_RISK, Kind.BROKEN)


class Action(StrEnum):
    """What a message does in its channel."""

    OPEN = "open"
    UPDATE = "update"
    RESOLVE = "resolve"
    EDIT = "edit"
    """Rewrites the first message of an incident; may be repeated without harm."""
    DIGEST = "digest"


class Delivery(StrEnum):
    """The fate of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    """Noted before it is sent: found after a crash, nobody knows whether it arrived, and it is not sent again."""
    SENT = "sent"
    LOGGED = "logged"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Message:
    """One message. `lines` are its sections, in Slack's mrkdwn, not yet cut to Slack's limits."""

    number: int
    action: Action
    root: str
    channel: str
    title: str
    lines: tuple[str, ...]
    severity: Severity
    at: float
    broadcast: bool = False
    """A reply that the whole channel should see."""
    place: str = ""
    thread: str = ""
    """Of an edit: the message that it rewrites, which is no longer the incident's when that went elsewhere."""
    state: Delivery = Delivery.WAITING
    not_before: float = 0.0
    attempts: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Told:
    """What of a finding was told last."""

    kind: Kind
    severity: Severity


@dataclass(frozen=True)
class Incident:
    """What was told of one root cause. `thread` is the first message's id in its channel, None until delivered."""

    root: str
    title: str
    opened_at: float
    severity: Severity
    owner: str
    channel: str
    told: Mapping[str, Told] = field(default_factory=dict)
    told_at: float = 0.0
    thread: str | None = None
    place: str = ""
    """The channel's own id, as Slack answered it: edits need it."""
    held: bool = False
    """Came up in quiet hours and was not told yet."""
    gone_since: float | None = None
    closed_at: float | None = None


@dataclass(frozen=True)
class Memory:
    """All that alerting remembers."""

    incidents: Mapping[str, Incident] = field(default_factory=dict)
    seen: Mapping[str, float] = field(default_factory=dict)
    """When each finding that is there now was first seen."""
    outbox: tuple[Message, ...] = ()
    history: tuple[Message, ...] = ()
    number: int = 0
    digest_at: float = 0.0
    """When the last digest was written."""
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What was read of the last failure of each failing asset, so that it is read once."""

    def to_json(self) -> str:
        """Compact JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str | None) -> Memory:
        """The memory that `to_json` wrote; an empty one for nothing, or for what another version wrote."""
        try:
            raw = json.loads(text or "{}")
            return Memory(
                incidents={root: _incident(entry) for root, entry in raw.get("incidents", {}).items()},
                seen=raw.get("seen", {}),
                outbox=tuple(_message(entry) for entry in raw.get("outbox", ())),
                history=tuple(_message(entry) for entry in raw.get("history", ())),
                number=raw.get("number", 0),
                digest_at=raw.get("digest_at", 0.0),
                details=raw.get("details", {}),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return Memory()


def _incident(entry: Mapping[str, Any]) -> Incident:
    told = {
        id_: Told(Kind(found["kind"]), Severity(found["severity"])) for id_, found in entry["told"].items()
    }
    return replace(Incident(**{**entry, "told": told}), severity=Severity(entry["severity"]))


def _message(entry: Mapping[str, Any]) -> Message:
    typed = {
        "action": Action(entry["action"]),
        "severity": Severity(entry["severity"]),
        "state": Delivery(entry["state"]),
        "lines": tuple(entry["lines"]),
    }
    return Message(**{**entry, **typed})
