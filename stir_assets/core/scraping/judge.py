"""From facts to a state: the rules, and a hysteresis so that a state does not flicker.

The facts are as of the log's newest entry. A log that has stopped therefore freezes the states instead of
declaring every flow dead: that the log stopped is said of the log, as of any source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from stir_assets.core.durations import format_duration
from stir_assets.core.scraping.model import LOG_WINDOW, FailureClass, FlowFacts, FlowState, FlowTerms

WORSEN_AFTER = timedelta(minutes=2)
"""A worse state must be seen for this long before it is believed."""
IMPROVE_AFTER = timedelta(minutes=10)
"""So must a better one: a single success amid failures is no recovery."""


@dataclass(frozen=True)
class Judgement:
    """The state that the facts alone suggest, and why."""

    state: FlowState
    reasons: tuple[str, ...] = ()


def judge(terms: FlowTerms, facts: FlowFacts) -> Judgement:
    """The worst rule that applies; reasons of all of them, worst first."""
    found = [rule for rule in (_unanswered(terms, facts), *_at_risk(terms, facts)) if rule]
    found.sort(key=lambda rule: -rule[0])
    if not found:
        return Judgement(FlowState.HEALTHY)
    return Judgement(found[0][0], tuple(reason for _, reason in found))


def _unanswered(terms: FlowTerms, facts: FlowFacts) -> tuple[FlowState, str] | None:
    """Asked for, and no success since: the only rule that makes a flow stale or down."""
    if facts.unanswered_since is None:
        return None
    age = timedelta(seconds=facts.as_of - facts.unanswered_since)
    reason = f"{facts.unanswered} requests without a success for {_words(age)}"
    if facts.unanswered >= terms.unanswered and age > terms.stale:
        return (FlowState.DOWN if age > terms.down else FlowState.STALE), reason
    # Too few to call it stale: a single request may be unlucky.
    return (FlowState.AT_RISK, reason) if age > terms.stale else None


def _at_risk(terms: FlowTerms, facts: FlowFacts) -> list[tuple[FlowState, str]]:
    reasons = []
    if facts.oldest_pending is not None:
        waiting = timedelta(seconds=facts.as_of - facts.oldest_pending)
        if waiting > terms.backlog:
            reasons.append(f"{facts.pending} requests wait for pick-up, the oldest for {_words(waiting)}")
    if facts.stuck:
        reasons.append(f"{facts.stuck} requests are worked on for more than {format_duration(terms.stuck)}")
    if facts.finished >= terms.sample and facts.failure_share > terms.failures:
        limited = facts.failed.get(FailureClass.RATE_LIMITED, 0)
        other = facts.failed.get(FailureClass.OTHER, 0)
        reasons.append(
            f"{facts.failure_share:.0%} of {facts.finished} requests failed ({limited} rate limited, {other} errors)"
        )
    silence = LOG_WINDOW
    if facts.newest_request is not None:
        silence = timedelta(seconds=facts.as_of - facts.newest_request)
    if silence > terms.quiet:
        reasons.append(f"nobody has asked for it for {_words(silence)}: does its requester run?")
    return [(FlowState.AT_RISK, reason) for reason in reasons]


@dataclass(frozen=True)
class Standing:
    """The believed state of a flow and, while another one is suggested, since when and how far it goes."""

    state: FlowState
    since: float
    """When it came into this state."""
    suggested: FlowState | None = None
    suggested_since: float = 0.0


def advance(standing: Standing | None, suggested: FlowState, now: float) -> Standing:
    """The standing after a look at `now` that suggested a state. The first look is believed.

    A change in one direction is believed once it lasted, and only as far as every look in that time went.
    """
    if standing is None:
        return Standing(suggested, now)
    if suggested == standing.state:
        return Standing(standing.state, standing.since)
    worse = suggested > standing.state
    pending, began = suggested, now
    if standing.suggested is not None and (standing.suggested > standing.state) == worse:
        pending = min(standing.suggested, suggested) if worse else max(standing.suggested, suggested)
        began = standing.suggested_since
    if now - began >= (WORSEN_AFTER if worse else IMPROVE_AFTER).total_seconds():
        return Standing(pending, now)
    return Standing(standing.state, standing.since, pending, began)


def _words(age: timedelta) -> str:
    """An age for people: whole minutes."""
    return format_duration(timedelta(minutes=max(1, round(age.total_seconds() / 60))))
