"""From findings to incidents and messages: one message a root cause, replies in its thread, one recovery.

Pure: the same memory, findings and time give the same result. Nothing is sent here; `outbox` is what to send.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stir_assets.core.alerts.model import (
    Action,
    Delivery,
    Finding,
    Incident,
    Kind,
    Memory,
    Message,
    Severity,
    Told,
)
from stir_assets.core.alerts.policy import AlertPolicy
from stir_assets.core.alerts.words import changes_in_words, clock, lines_of, recovery_in_words, title_of

IN_DIGEST = ""
"""Thread of an incident that was told in a digest only: its next message begins a thread."""
_MERGED_LINES = 30


def step(
    memory: Memory,
    findings: Sequence[Finding],
    now: float,
    policy: AlertPolicy,
    *,
    base_url: str = "",
    summary: Sequence[str] = (),
) -> Memory:
    """The memory after a look at `now`, its outbox extended by what is to be told.

    `base_url` is the address of Dagster's UI, for links. `summary` are the lines of the daily digest.
    """
    return _Step(memory, now, policy, base_url).run(findings, summary)


class _Step:
    def __init__(self, memory: Memory, now: float, policy: AlertPolicy, base_url: str) -> None:
        self.memory, self.now, self.policy, self.base_url = memory, now, policy, base_url
        self.incidents = dict(memory.incidents)
        self.outbox = list(memory.outbox)
        self.number = memory.number
        self.quiet = policy.is_quiet(now)

    def run(self, findings: Sequence[Finding], summary: Sequence[str]) -> Memory:
        seen = {finding.id: self.memory.seen.get(finding.id, self.now) for finding in findings}
        groups = self._grouped([finding for finding in findings if self._settled(finding, seen)])
        for root, found in groups.items():
            incident = self.incidents.get(root)
            if incident is None or incident.closed_at is not None:
                self._open(root, found, incident)
            else:
                self._go_on(replace(incident, gone_since=None), found)
        for root, incident in list(self.incidents.items()):
            if incident.closed_at is None and root not in groups:
                self._recover(incident)
        digest_at = self._digests(summary)
        return replace(
            self.memory,
            incidents={root: entry for root, entry in self.incidents.items() if self._kept(entry)},
            seen=seen,
            outbox=tuple(self.outbox),
            number=self.number,
            digest_at=digest_at,
        )

    # -- grouping

    def _settled(self, finding: Finding, seen: dict[str, float]) -> bool:
        if finding.kind is not Kind.AT_RISK:
            return True
        told = any(finding.id in entry.told for entry in self.incidents.values() if entry.closed_at is None)
        return told or self.now - seen[finding.id] >= self.policy.settle_at_risk

    def _grouped(self, findings: Sequence[Finding]) -> dict[str, list[Finding]]:
        """Findings by incident. What was told of in one incident stays with it; the rest joins what is related."""
        home = {
            id_: root
            for root, entry in self.incidents.items()
            if entry.closed_at is None
            for id_ in entry.told
        }
        groups: dict[str, list[Finding]] = {}
        # Causes first, the worst first: what they endanger joins them.
        for finding in sorted(findings, key=lambda found: (found.is_effect, -found.severity, found.root)):
            root = home.get(finding.id) or self._root(finding, groups)
            groups.setdefault(root, []).append(finding)
        return groups

    def _root(self, finding: Finding, groups: dict[str, list[Finding]]) -> str:
        for root in (finding.root, *finding.related):
            entry = self.incidents.get(root)
            if root in groups or (entry is not None and entry.closed_at is None):
                return root
        return finding.root

    # -- one incident

    def _open(self, root: str, findings: list[Finding], before: Incident | None) -> None:
        severity, owner = _worst(findings)
        incident = Incident(
            root=root,
            title=title_of(findings),
            opened_at=self.now,
            severity=severity,
            owner=owner,
            channel=self.policy.channel_for(owner, severity),
            told=_told(findings),
            told_at=self.now,
        )
        if self.quiet and severity < Severity.CRITICAL:
            self.incidents[root] = replace(incident, held=True)
            return
        lines = lines_of(findings, self.base_url)
        recent = before is not None and self.now - (before.closed_at or 0) <= self.policy.reopen_within
        if before is not None and recent and before.channel == incident.channel and before.thread:
            incident = replace(incident, thread=before.thread, place=before.place, opened_at=before.opened_at)
            self._queue(incident, Action.UPDATE, f"again: {incident.title}", lines, broadcast=True)
            self._queue(incident, Action.EDIT, incident.title, lines)
        else:
            self._queue(incident, Action.OPEN, incident.title, lines)
        self.incidents[root] = incident

    def _go_on(self, incident: Incident, findings: list[Finding]) -> None:
        self.incidents[incident.root] = incident
        severity, _ = _worst(findings)
        told = _told(findings)
        worse = severity > incident.severity
        if incident.held:
            # Held until morning, or until it gets serious.
            current = replace(incident, told=told, title=title_of(findings), severity=severity)
            self.incidents[incident.root] = current
            if severity is Severity.CRITICAL:
                self._announce(replace(current, held=False), findings)
            return
        if self.quiet and severity < Severity.CRITICAL:
            return
        rested = self.now - incident.told_at >= self.policy.update_every
        if incident.thread is None and rested and not self._waiting(incident.root):
            # Nobody knows of it: its first message was refused, or got lost on the way.
            self._announce(incident, findings)
        elif worse or (told != incident.told and rested):
            self._update(incident, findings, severity, worse=worse)

    def _update(
        self, incident: Incident, findings: list[Finding], severity: Severity, *, worse: bool
    ) -> None:
        channel = self.policy.channel_for(incident.owner, severity)
        lines = changes_in_words(incident, findings, self.base_url)
        current = replace(
            incident,
            title=title_of(findings),
            # Told once that it is critical, it stays so until it is over.
            severity=max(severity, incident.severity),
            told=_told(findings),
            told_at=self.now,
        )
        if worse and channel != incident.channel:
            if incident.thread:
                moved = f"Now critical, and told in {channel}."
                self._queue(current, Action.EDIT, current.title, [moved, *lines_of(findings, self.base_url)])
            self._announce(current, findings)
            return
        self.incidents[incident.root] = current
        prefix = "now critical: " if worse else ""
        self._queue(current, Action.UPDATE, f"{prefix}{current.title}", lines, broadcast=worse)
        if current.thread:
            # Who reads the channel and not the thread sees how things are.
            self._queue(current, Action.EDIT, current.title, lines_of(findings, self.base_url))

    def _announce(self, incident: Incident, findings: list[Finding]) -> None:
        """A first message, in the channel that its severity asks for."""
        severity, _ = _worst(findings)
        current = replace(
            incident,
            thread=None,
            place="",
            severity=severity,
            channel=self.policy.channel_for(incident.owner, severity),
            told=_told(findings),
            told_at=self.now,
            title=title_of(findings),
        )
        self.incidents[incident.root] = current
        since = [] if self.now == incident.opened_at else [f"since {clock(incident.opened_at)} UTC"]
        self._queue(current, Action.OPEN, current.title, [*since, *lines_of(findings, self.base_url)])

    def _recover(self, incident: Incident) -> None:
        gone_since = self.now if incident.gone_since is None else incident.gone_since
        incident = replace(incident, gone_since=gone_since)
        self.incidents[incident.root] = incident
        if self.now - gone_since < self.policy.recover_after:
            return
        self.incidents[incident.root] = replace(incident, closed_at=self.now)
        if incident.held:
            return
        text = recovery_in_words(incident, gone_since)
        if (waiting := self._waiting(incident.root)) and waiting.action is Action.OPEN:
            # Nobody has read the first message yet: one is enough.
            self._replace(waiting, title=f"came and went: {incident.title}", lines=(*waiting.lines, text))
            return
        self._queue(incident, Action.RESOLVE, f"well again: {incident.title}", [text])
        if incident.thread:
            self._queue(incident, Action.EDIT, f"well again: {incident.title}", [text])

    def _kept(self, incident: Incident) -> bool:
        if incident.closed_at is None or incident.held:
            return True
        return self.now - incident.closed_at < self.policy.keep_closed

    # -- digests

    def _digests(self, summary: Sequence[str]) -> float:
        """After quiet hours what was held, and once a day the summary; one message if both are due."""
        digest, last = self.policy.digest, self.memory.digest_at
        if self.quiet:
            return last
        held = [incident for incident in self.incidents.values() if incident.held]
        lines = [self._in_digest(incident) for incident in held]
        due = 0.0 if digest is None else digest.last_due(self.now)
        first = last == 0.0
        if digest is not None and not first and due > last:
            lines = [*summary, *lines]
        if lines:
            self._queue_message(
                Action.DIGEST, "", self.policy.channel, "Stir: what there is to know", lines, Severity.WARNING
            )
        return self.now if lines or first or due > last else last

    def _in_digest(self, incident: Incident) -> str:
        self.incidents[incident.root] = replace(
            incident, held=False, thread=IN_DIGEST, channel=self.policy.channel, told_at=self.now
        )
        if incident.closed_at is None:
            return f"*open*: {incident.title}, since {clock(incident.opened_at)} UTC"
        return f"*came and went*: {incident.title}, {clock(incident.opened_at)} to {clock(incident.closed_at)} UTC"

    # -- the outbox

    def _waiting(self, root: str) -> Message | None:
        return next(
            (
                message
                for message in self.outbox
                if message.root == root
                and message.action is not Action.EDIT
                and message.state is Delivery.WAITING
            ),
            None,
        )

    def _queue(
        self, incident: Incident, action: Action, title: str, lines: Sequence[str], *, broadcast: bool = False
    ) -> None:
        waiting = self._waiting(incident.root)
        if action is Action.EDIT:
            self.outbox = [
                message
                for message in self.outbox
                if not (message.action is Action.EDIT and message.thread == incident.thread)
            ]
            self._queue_message(
                action,
                incident.root,
                incident.channel,
                title,
                lines,
                incident.severity,
                target=(incident.place, incident.thread or ""),
            )
            return
        if waiting is not None and action in (Action.OPEN, Action.UPDATE):
            # Held up, by a rate limit for example: what is said at last is what is known at last.
            merged = tuple(lines) if action is Action.OPEN else (*waiting.lines, *lines)[-_MERGED_LINES:]
            self._replace(
                waiting,
                title=title,
                lines=merged,
                severity=incident.severity,
                channel=incident.channel,
                broadcast=waiting.broadcast or broadcast,
            )
            return
        self._queue_message(
            action, incident.root, incident.channel, title, lines, incident.severity, broadcast=broadcast
        )

    def _queue_message(
        self,
        action: Action,
        root: str,
        channel: str,
        title: str,
        lines: Sequence[str],
        severity: Severity,
        *,
        broadcast: bool = False,
        target: tuple[str, str] = ("", ""),
    ) -> None:
        self.number += 1
        text = (title, tuple(lines), severity, self.now, broadcast)
        self.outbox.append(Message(self.number, action, root, channel, *text, *target))

    def _replace(self, message: Message, **changes: object) -> None:
        changed = replace(message, **changes)  # pyright: ignore[reportArgumentType]
        self.outbox[self.outbox.index(message)] = changed


def _told(findings: Sequence[Finding]) -> dict[str, Told]:
    return {finding.id: Told(finding.kind, finding.severity) for finding in findings}


def _worst(findings: Sequence[Finding]) -> tuple[Severity, str]:
    """The severity of the worst, and the owner of the worst cause."""
    severity = max(finding.severity for finding in findings)
    causes = [finding for finding in findings if not finding.is_effect] or list(findings)
    return severity, max(causes, key=lambda finding: finding.severity).owner
