"""From figures of a source to what is wrong with it: clock, lateness, volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from statistics import median

from stir_assets.core.durations import format_duration
from stir_assets.core.source_health.terms import WatchTerms

# An hour of a small table says little: a few rows more or less are no anomaly.
MIN_USUAL = 20
MIN_WEEKS = 2


class Check(StrEnum):
    """The checks of a source, as its asset names them."""

    CLOCK = "clock"
    LATE = "in_time"
    VOLUME = "usual_volume"


@dataclass(frozen=True)
class SourceFacts:
    """Figures of one look. Seconds; rows. `hour` begins the last full hour, `weeks` are the rows of the same
    hour one to four weeks before (0 before the table began)."""

    rows_ahead: int = 0
    """Events from the future; where arrivals are recorded, those that arrived within a day."""
    furthest_ahead: float = 0.0
    arrived: int = 0
    """Rows of the last hour."""
    late_p95: float | None = None
    hour: float | None = None
    later: int = 0
    """Rows since the end of that hour."""
    rows: int = 0
    weeks: Sequence[int] = ()

    @property
    def usual(self) -> float | None:
        """Median of the weeks that have rows; None when there are too few."""
        known = [rows for rows in self.weeks if rows]
        return float(median(known)) if len(known) >= MIN_WEEKS else None


@dataclass(frozen=True)
class Verdict:
    """One check's outcome. `text` says what is wrong, or why nothing can be; `figures` are for metadata."""

    check: Check
    passed: bool
    text: str
    figures: dict[str, float]


def verdicts(terms: WatchTerms, facts: SourceFacts) -> list[Verdict]:
    """The checks that apply to the source and have something to go by."""
    found = [_clock(terms, facts)]
    if terms.late is not None and facts.late_p95 is not None:
        found.append(_late(terms.late, facts, facts.late_p95))
    volume = _volume(terms, facts)
    return [*found, volume] if volume else found


def checks_of(terms: WatchTerms) -> list[Check]:
    """The checks that the source can have."""
    late = [Check.LATE] if terms.late is not None else []
    return [Check.CLOCK, *late, *([Check.VOLUME] if terms.low is not None else [])]


def _clock(terms: WatchTerms, facts: SourceFacts) -> Verdict:
    ahead = timedelta(seconds=facts.furthest_ahead)
    passed = facts.rows_ahead == 0 or ahead <= terms.ahead
    text = "" if passed else f"{facts.rows_ahead} events are from the future, up to {_words(ahead)} ahead"
    figures = {"events from the future": facts.rows_ahead, "furthest ahead (minutes)": _minutes(ahead)}
    return Verdict(Check.CLOCK, passed, text, figures)


def _late(allowed: timedelta, facts: SourceFacts, p95: float) -> Verdict:
    late = timedelta(seconds=p95)
    passed = late <= allowed
    text = (
        ""
        if passed
        else f"of {facts.arrived} rows that arrived in the last hour, 1 in 20 is more than {_words(late)} late"
    )
    figures = {"rows arrived in an hour": facts.arrived, "lateness p95 (minutes)": _minutes(late)}
    return Verdict(Check.LATE, passed, text, figures)


def _volume(terms: WatchTerms, facts: SourceFacts) -> Verdict | None:
    if terms.low is None or terms.high is None or facts.hour is None:
        return None
    if not facts.later:
        # The data has not reached the end of that hour: what is missing may still come.
        return None
    usual = facts.usual
    if usual is None:
        weeks = sum(1 for rows in facts.weeks if rows)
        text = f"not judged: {weeks} of the {len(facts.weeks)} weeks before have rows at this hour, {MIN_WEEKS} are needed"
        return Verdict(Check.VOLUME, True, text, {"rows of the hour": facts.rows})
    figures = {"rows of the hour": facts.rows, "usual rows": usual}
    if usual < MIN_USUAL:
        text = f"not judged: {usual:.0f} rows are usual at this hour of the week, {MIN_USUAL} are needed"
        return Verdict(Check.VOLUME, True, text, figures)
    passed = terms.low * usual <= facts.rows <= terms.high * usual
    text = (
        ""
        if passed
        else f"{facts.rows} rows in an hour, where {usual:.0f} are usual at this hour of the week"
    )
    return Verdict(Check.VOLUME, passed, text, figures)


def _minutes(duration: timedelta) -> float:
    return round(duration.total_seconds() / 60, 1)


def _words(duration: timedelta) -> str:
    return format_duration(timedelta(minutes=max(1, round(_minutes(duration)))))
