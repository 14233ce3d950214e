"""The rules by which a flow is healthy, at risk, stale or down, and the hysteresis between them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stir_assets.core.scraping.flows import FLOWS, feeding
from stir_assets.core.scraping.judge import Standing, advance, judge
from stir_assets.core.scraping.model import FailureClass, FlowFacts, FlowState, flow
from stir_assets.core.source_tables import load_source_tables
from stir_assets.errors import ConfigError
from stir_assets.settings import DBT_PROJECT_DIR
from stir_assets.world.flows import REQUESTED_FLOWS

NOW = 1_900_000_000.0
MINUTE, HOUR = 60.0, 3600.0
TERMS = flow("posts", "INSTAGRAM", "_e/posts", stale="1h", down="4h", backlog="2h", quiet="12h")
GOOD = FlowFacts(
    as_of=NOW, requested=50, newest_request=NOW - MINUTE, newest_success=NOW - MINUTE, succeeded=50
)


def state(facts: FlowFacts) -> FlowState:
    return judge(TERMS, facts).state


def test_every_requested_flow_is_declared_once_and_feeds_declared_sources() -> None:
    names = [terms.name for terms in FLOWS]
    assert len(names) == len(set(names)) == 28
    assert set(names) == set(REQUESTED_FLOWS)
    declared = {
        f"{table.schema}/{table.name}"
        for table in load_source_tables(Path(DBT_PROJECT_DIR) / "models/sources")
    }
    assert set(feeding()) <= declared


def test_terms_that_make_no_sense_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="scrape flow posts: stale must be shorter"):
        flow("posts", "INSTAGRAM", "_e/posts", stale="5h", down="4h", backlog="2h", quiet="12h")
    with pytest.raises(ConfigError, match=r"scrape flow posts: 'soon' is not a duration"):
        flow("posts", "INSTAGRAM", "_e/posts", stale="soon", down="4h", backlog="2h", quiet="12h")


def test_an_answered_flow_is_healthy() -> None:
    assert judge(TERMS, GOOD) == judge(TERMS, replace(GOOD, processing=3, oldest_pickup=NOW - MINUTE))
    assert state(GOOD) is FlowState.HEALTHY


@pytest.mark.parametrize(
    ("hours", "count", "expected"),
    [
        (0.9, 40, FlowState.HEALTHY),
        (1.1, 3, FlowState.STALE),
        (3.9, 40, FlowState.STALE),
        (4.1, 40, FlowState.DOWN),
        # One or two unlucky requests are no outage, however long ago.
        (9.0, 2, FlowState.AT_RISK),
    ],
)
def test_requests_without_a_success_make_it_stale_then_down(
    hours: float, count: int, expected: FlowState
) -> None:
    facts = replace(
        GOOD, newest_success=NOW - 10 * HOUR, unanswered=count, unanswered_since=NOW - hours * HOUR
    )
    assert state(facts) is expected


def test_a_quiet_hour_that_nobody_asked_for_is_no_outage() -> None:
    quiet = replace(
        GOOD, requested=0, succeeded=0, newest_request=NOW - 11 * HOUR, newest_success=NOW - 11 * HOUR
    )
    assert state(quiet) is FlowState.HEALTHY
    longer = judge(TERMS, replace(quiet, newest_request=NOW - 13 * HOUR))
    assert longer.state is FlowState.AT_RISK
    assert "nobody has asked for it for 13h" in longer.reasons[0]
    assert judge(TERMS, FlowFacts(as_of=NOW)).state is FlowState.AT_RISK


def test_a_backlog_and_stuck_requests_put_it_at_risk() -> None:
    assert state(replace(GOOD, pending=5, oldest_pending=NOW - 1.9 * HOUR)) is FlowState.HEALTHY
    waiting = judge(TERMS, replace(GOOD, pending=5, oldest_pending=NOW - 2.1 * HOUR))
    assert (waiting.state, waiting.reasons) == (
        FlowState.AT_RISK,
        ("5 requests wait for pick-up, the oldest for 2h6m",),
    )
    assert state(replace(GOOD, stuck=1)) is FlowState.AT_RISK


def test_only_failures_of_the_scraper_count_and_only_among_enough_requests() -> None:
    excused = {FailureClass.NOTHING_FOUND: 30, FailureClass.CONFLICT: 10}
    assert state(replace(GOOD, succeeded=10, failed=excused)) is FlowState.HEALTHY
    limited = judge(
        TERMS, replace(GOOD, succeeded=10, failed={FailureClass.RATE_LIMITED: 5, FailureClass.OTHER: 1})
    )
    assert limited.state is FlowState.AT_RISK
    assert limited.reasons == ("38% of 16 requests failed (5 rate limited, 1 errors)",)
    assert state(replace(GOOD, succeeded=2, failed={FailureClass.OTHER: 6})) is FlowState.HEALTHY


def walk(*steps: tuple[float, FlowState]) -> list[FlowState]:
    """States believed after looks at these minutes."""
    standing: Standing | None = None
    believed = []
    for minute, suggested in steps:
        standing = advance(standing, suggested, NOW + minute * MINUTE)
        believed.append(standing.state)
    return believed


H, R, S, D = FlowState


def test_the_first_look_is_believed() -> None:
    assert walk((0, D)) == [D]


def test_a_worse_state_is_believed_after_two_minutes() -> None:
    assert walk((0, H), (1, S), (2, S), (3, S)) == [H, H, H, S]


def test_a_flicker_changes_nothing() -> None:
    assert walk((0, H), (1, S), (2, H), (3, S), (4, H), (5, S)) == [H] * 6


def test_it_worsens_only_as_far_as_every_look_went() -> None:
    assert walk((0, H), (1, R), (2, D), (3, D), (4, D), (5, D), (6, D)) == [H, H, H, R, R, R, D]


def test_recovery_takes_ten_good_minutes() -> None:
    down = [(0, D), (1, H), (6, H), (8, D)]
    assert walk(*down, (9, H), (18, H), (19, H)) == [D, D, D, D, D, D, H]


def test_recovery_goes_only_as_far_as_every_look_went() -> None:
    assert walk((0, D), (1, H), (5, R), (11, H)) == [D, D, D, R]
