"""Findings in words: titles and lines of messages, in Slack's mrkdwn, secrets left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from stir_assets.core.alerts.model import Finding, Incident, Kind, Message, Severity
from stir_assets.core.durations import format_duration

_CAUSES_SHOWN = 12
_EFFECTS_SHOWN = 15
_PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^\s@]+(?=@)")
_ASSIGNED = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)(['\"]?\s*[=:]\s*)\S+"
)
_TOKENS = re.compile(r"\b(xox[a-z]-[\w-]+|xapp-[\w-]+|AKIA[0-9A-Z]{16}|Bearer\s+\S+)")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without known secrets, passwords in addresses, and what looks like a credential."""
    for secret in secrets:
        # A short value, such as a developer's empty password, would blank out half of the text.
        if len(secret) >= 6:
            text = text.replace(secret, "***")
    text = _PASSWORD_IN_URL.sub("***", text)
    text = _ASSIGNED.sub(r"\1\2***", text)
    return _TOKENS.sub("***", text)


def escape(text: str) -> str:
    """Text as Slack shows it literally."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def title_of(findings: Sequence[Finding]) -> str:
    """One line for an incident: its worst cause, else what suffers."""
    causes = [finding for finding in findings if not finding.is_effect]
    if causes:
        worst = max(causes, key=lambda finding: finding.severity).kind
        subjects = sorted({finding.subject for finding in causes if finding.kind is worst})
        if len(subjects) == 1:
            return f"{subjects[0]}: {worst}"
        return f"{worst}: {len(subjects)} of {_common(subjects)}"
    promises = sorted(findings, key=lambda finding: (-finding.severity, finding.subject))
    kind = promises[0].kind
    count = sum(finding.kind is kind for finding in promises)
    return f"{kind}: {promises[0].subject}" + (f" and {count - 1} more" if count > 1 else "")


def _common(subjects: Sequence[str]) -> str:
    """What the subjects share: their schemas or groups."""
    return ", ".join(sorted({subject.split("/")[0] for subject in subjects}))


def lines_of(findings: Sequence[Finding], base_url: str = "") -> list[str]:
    """Sections of a message: the causes, then the promises that suffer, readers' tables first."""
    causes = sorted(
        (finding for finding in findings if not finding.is_effect),
        key=lambda finding: (-finding.severity, finding.subject),
    )
    lines = [_cause(finding, base_url) for finding in causes[:_CAUSES_SHOWN]]
    if len(causes) > _CAUSES_SHOWN:
        lines.append(f"… and {len(causes) - _CAUSES_SHOWN} more")
    effects = [finding for finding in findings if finding.is_effect]
    if effects:
        lines.append(_effects(effects, base_url))
    return lines


def _cause(finding: Finding, base_url: str) -> str:
    return f"*{_link(finding.subject, finding.path, base_url)}* · {finding.kind}\n{escape(finding.text)}"


def _effects(effects: Sequence[Finding], base_url: str) -> str:
    ordered = sorted(
        effects,
        key=lambda finding: (not finding.subject.startswith("serving/"), -finding.severity, finding.subject),
    )
    count = Counter(finding.kind for finding in effects)
    head = ", ".join(f"{count[kind]} {kind}" for kind in (Kind.BROKEN, Kind.AT_RISK) if count[kind])
    shown = [
        f"• {_link(finding.subject, finding.path, base_url)}: {escape(finding.text)}"
        for finding in ordered[:_EFFECTS_SHOWN]
    ]
    if len(ordered) > _EFFECTS_SHOWN:
        shown.append(f"… and {len(ordered) - _EFFECTS_SHOWN} more")
    return "\n".join([f"*{head}*", *shown])


def changes_in_words(incident: Incident, findings: Sequence[Finding], base_url: str = "") -> list[str]:
    """What is new, worse or gone since the last message."""
    told = incident.told
    fresh = [
        finding
        for finding in findings
        if finding.id not in told
        or told[finding.id].severity != finding.severity
        or told[finding.id].kind is not finding.kind
    ]
    lines = lines_of(fresh, base_url)
    current = {finding.id for finding in findings}
    gone = sorted(id_.partition(":")[2] for id_ in told if id_ not in current)
    if gone:
        shown = ", ".join(escape(name) for name in gone[:_EFFECTS_SHOWN])
        lines.append(f"*well again* ({len(gone)}): {shown}{' …' if len(gone) > _EFFECTS_SHOWN else ''}")
    return lines


def recovery_in_words(incident: Incident, now: float) -> str:
    """How long it took."""
    lasted = timedelta(seconds=round((now - incident.opened_at) / 60) * 60)
    return f"well again after {format_duration(lasted)} (since {clock(incident.opened_at)} UTC)"


def clock(moment: float) -> str:
    """A moment for people, UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b %H:%M")


def plain(message: Message) -> str:
    """The message as one text, for the log and for notifications."""
    return "\n".join([f"[{message.severity}] {message.title}", *message.lines])


def _link(text: str, path: str, base_url: str) -> str:
    if not base_url or not path:
        return escape(text)
    return f"<{base_url.rstrip('/')}/{path.lstrip('/')}|{escape(text)}>"


SIGNS = {Severity.WARNING: ":large_yellow_circle:", Severity.CRITICAL: ":red_circle:"}
