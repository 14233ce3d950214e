"""The planner's rules, one test each, on graphs small enough to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from stir_assets.core.freshness import DeadlineTerms, WindowTerms
from stir_assets.core.scheduling.model import Build, Failures, Graph, Lane, Node, Plan, Policy, State, Verdict
from stir_assets.core.scheduling.planner import plan

NOW = datetime(2030, 1, 2, 12, 0, tzinfo=UTC).timestamp()
MINUTE = 60.0


def window(warn: int, fail: int) -> WindowTerms:
    return WindowTerms(warn=timedelta(minutes=warn), fail=timedelta(minutes=fail))


DAILY = DeadlineTerms(deadline=time(20, 15), lookback=timedelta(hours=26))

SOURCE = Node("source", managed=False)
STAGING = Node("staging", deps=("source",), terms=window(15, 30))
MART = Node("mart", deps=("staging",), terms=window(15, 30))
CHAIN = Graph.of([SOURCE, STAGING, MART])


def built(ago: float, version: int, *, data_ago: float | None = None, **read: int) -> Build:
    data_time = NOW - (ago if data_ago is None else data_ago)
    return Build(built_at=NOW - ago, version=version, read=read, data_time=data_time)


def settled(ago: float = 20 * MINUTE) -> dict[str, Build]:
    """The chain built `ago` seconds ago from all there was."""
    return {"source": built(ago, 1), "staging": built(ago, 2, source=1), "mart": built(ago, 3, staging=2)}


def tick(graph: Graph, builds: Mapping[str, Build], **state: object) -> Plan:
    return plan(NOW, graph, State(builds, **state))  # pyright: ignore[reportArgumentType]


def test_new_data_and_a_term_coming_due_request_the_asset_with_what_it_needs() -> None:
    result = tick(CHAIN, {**settled(), "source": built(0, 9)})
    assert result.requests == {"staging": Lane.HOT, "mart": Lane.HOT}


def test_no_new_data_means_no_run_however_old_but_a_heartbeat() -> None:
    result = tick(CHAIN, settled(ago=9 * 3600))
    assert result.requests == {}
    assert result.heartbeats == {"staging", "mart"}
    assert result.decisions["mart"].verdict is Verdict.NO_NEW_DATA


def test_same_data_version_upstream_is_no_new_data() -> None:
    builds = settled()
    builds["staging"] = replace(builds["staging"], read_data_versions={"source": "v1"})
    builds["source"] = replace(built(0, 9), data_version="v1")
    assert tick(CHAIN, builds).requests == {}


def test_new_data_before_the_term_is_due_waits_and_says_until_when() -> None:
    result = tick(CHAIN, {**settled(ago=2 * MINUTE), "source": built(0, 9)})
    assert result.requests == {}
    due_at = result.decisions["mart"].due_at
    assert due_at is not None
    assert NOW < due_at < NOW + 13 * MINUTE


def test_an_update_that_arrived_during_the_run_is_not_lost() -> None:
    """The source moved to version 5 while the run read version 4; the build is newer than the event."""
    builds = {**settled(), "source": built(16 * MINUTE, 5), "staging": built(15.5 * MINUTE, 6, source=4)}
    assert "staging" in tick(CHAIN, builds).requests


def test_measured_run_times_bring_the_start_forward() -> None:
    builds = {**settled(ago=11 * MINUTE), "source": built(0, 9)}
    assert tick(CHAIN, builds).requests == {}
    assert set(tick(CHAIN, builds, seconds={"staging": 150.0, "mart": 60.0}).requests) == {"staging", "mart"}


@pytest.mark.parametrize(
    ("seconds", "share", "due_after"),
    [
        # Cheap: a little before 45 seconds of lag are over.
        (0.2, None, 45 - 0.2 * 1.3 - 8),
        # Dear: a rest of nine times what it costs, so that it takes a tenth of the time.
        (20.0, None, (20 + 3) * 9),
        # Declared to be worth half of the time: a rest as long as its run.
        (20.0, 0.5, 20 + 3),
        # Very dear: a tenth of the time would be 38 minutes, and the promise goes before, with the time it needs.
        (250.0, None, 600 - 300),
    ],
)
def test_an_aim_takes_its_share_of_the_time_and_a_promise_what_it_needs(
    seconds: float, share: float | None, due_after: float
) -> None:
    aiming = replace(STAGING, terms=replace(window(10, 30), every=timedelta(seconds=45), share=share))
    builds = {"source": built(0, 9), "staging": built(10, 2, source=1)}
    decision = tick(Graph.of([SOURCE, aiming]), builds, seconds={"staging": seconds}).decisions["staging"]
    assert decision.due_at is not None
    # A tolerance of a moment would be of some minutes.
    assert decision.due_at - (NOW - 10) == pytest.approx(due_after)


@pytest.mark.parametrize("busy", ["mart", "staging"])
def test_nothing_is_requested_while_it_or_what_it_needs_is_in_progress(busy: str) -> None:
    result = tick(CHAIN, {**settled(), "source": built(0, 9)}, busy=frozenset({busy}))
    assert "mart" not in result.requests
    assert result.decisions["mart"].verdict in (Verdict.BUSY, Verdict.UPSTREAM_BUSY)


def test_a_failure_buys_retries_with_growing_waits_and_then_an_end() -> None:
    builds = {**settled(), "source": built(0, 9)}
    graph = Graph.of([SOURCE, STAGING])

    def verdict(count: int, ago: float) -> Verdict:
        state = {"staging": Failures(count, NOW - ago)}
        return tick(graph, builds, failures=state).decisions["staging"].verdict

    assert verdict(1, ago=30) is Verdict.BACKOFF
    assert verdict(1, ago=61) is Verdict.REQUESTED
    assert verdict(2, ago=61) is Verdict.BACKOFF
    assert verdict(2, ago=121) is Verdict.REQUESTED
    assert verdict(4, ago=3600) is Verdict.GIVEN_UP


def test_a_broken_input_does_not_hold_up_readers_that_have_other_news() -> None:
    graph = Graph.of(
        [SOURCE, Node("other", managed=False), STAGING, replace(MART, deps=("staging", "other"))]
    )
    builds = {**settled(), "source": built(0, 9), "other": built(0, 10)}
    builds["mart"] = built(20 * MINUTE, 3, staging=2, other=1)
    result = tick(graph, builds, failures={"staging": Failures(1, NOW - 10)})
    assert set(result.requests) == {"mart"}


def test_a_reader_with_no_other_news_waits_for_its_broken_input() -> None:
    result = tick(CHAIN, {**settled(), "source": built(0, 9)}, failures={"staging": Failures(1, NOW - 10)})
    assert result.requests == {}


def test_an_input_that_never_was_built_and_is_failing_holds_its_readers_up() -> None:
    graph = Graph.of(
        [SOURCE, Node("other", managed=False), STAGING, replace(MART, deps=("staging", "other"))]
    )
    result = tick(
        graph, {"source": built(0, 1), "other": built(0, 2)}, failures={"staging": Failures(1, NOW - 10)}
    )
    assert result.requests == {}


def test_a_readers_short_promise_beats_the_long_one_of_its_input() -> None:
    slow = replace(STAGING, terms=window(5 * 60, 10 * 60))
    result = tick(Graph.of([SOURCE, slow, MART]), {**settled(), "source": built(0, 9)})
    assert set(result.requests) == {"staging", "mart"}


def test_an_input_without_a_promise_is_refreshed_for_its_reader_and_never_for_itself() -> None:
    silent = replace(STAGING, terms=None)
    builds = {**settled(), "source": built(0, 9)}
    assert set(tick(Graph.of([SOURCE, silent, MART]), builds).requests) == {"staging", "mart"}
    alone = tick(Graph.of([SOURCE, silent]), builds)
    assert alone.requests == {}
    assert alone.decisions["staging"].verdict is Verdict.NO_PROMISE


def test_a_paced_input_is_neither_pulled_nor_does_it_age_its_reader() -> None:
    weekly = Node("weekly", deps=("source",), terms=window(7 * 1440, 8 * 1440), paced=True)
    graph = Graph.of([SOURCE, STAGING, weekly, replace(MART, deps=("staging", "weekly"))])
    builds = {**settled(), "source": built(0, 9), "weekly": built(3 * 86_400, 4, source=1)}
    builds["mart"] = built(20 * MINUTE, 5, staging=2, weekly=4)
    assert set(tick(graph, builds).requests) == {"staging", "mart"}


def test_a_paced_input_that_never_was_built_is_pulled_once() -> None:
    weekly = Node("weekly", deps=("source",), terms=window(7 * 1440, 8 * 1440), paced=True)
    graph = Graph.of([SOURCE, weekly, Node("mart", deps=("weekly",), terms=window(15, 30))])
    assert set(tick(graph, {"source": built(0, 1)}).requests) == {"weekly", "mart"}


def test_a_long_promise_does_not_rebuild_what_a_short_one_keeps_fresh() -> None:
    daily = Node("daily", deps=("staging",), terms=DAILY, paced=True)
    graph = Graph.of([SOURCE, STAGING, daily])
    evening = datetime(2030, 1, 2, 20, 10, tzinfo=UTC).timestamp()
    builds = {
        "source": Build(evening, 9, data_time=evening),
        "staging": Build(evening - 120, 8, read={"source": 7}, data_time=evening - 120),
        "daily": Build(evening - 86_400, 3, read={"staging": 2}, data_time=evening - 86_400),
    }
    assert set(plan(evening, graph, State(builds)).requests) == {"daily"}


def test_a_deadline_is_met_in_time_for_its_measured_path_once_a_day() -> None:
    graph = Graph.of([SOURCE, Node("daily", deps=("source",), terms=DAILY)])
    due = datetime(2030, 1, 2, 20, 15, tzinfo=UTC).timestamp()
    yesterday = Build(due - 86_400 - 600, 2, read={"source": 1}, data_time=due - 87_000)

    def requested(at: float, build: Build) -> bool:
        builds = {"source": Build(at, 9, data_time=at), "daily": build}
        return bool(plan(at, graph, State(builds, seconds={"daily": 1200.0})).requests)

    assert not requested(due - 3600, yesterday)
    assert requested(due - 2400, yesterday)
    done = Build(due - 2000, 3, read={"source": 8}, data_time=due - 2100)
    assert not requested(due - 1800, done)
    assert not requested(due + 3600, done)


def test_an_aim_refreshes_more_often_than_the_promise_asks() -> None:
    aiming = DeadlineTerms(time(20, 15), timedelta(hours=26), every=timedelta(hours=3))
    graph = Graph.of([SOURCE, Node("daily", deps=("source",), terms=aiming, paced=True)])

    def requested(ago: float) -> bool:
        return bool(tick(graph, {"source": built(0, 9), "daily": built(ago, 2, source=1)}).requests)

    assert not requested(2.8 * 3600)
    assert requested(2.999 * 3600)
    assert graph.wanted_every["daily"] == 3 * 3600
    # The lane is the promise's: an aim never stands in front of a shorter promise.
    assert graph.nodes["daily"].lane is Lane.HEAVY


def test_an_input_of_a_dear_reader_is_refreshed_with_it_and_of_a_cheap_one_read_as_it_is() -> None:
    """A run that reads inputs of ten minutes ago comes ten minutes too early the next time."""
    reader = Node("mart", deps=("staging",), terms=window(60, 120))
    graph = Graph.of([SOURCE, STAGING, reader])
    builds = {"source": built(0, 9), "staging": built(10.5 * MINUTE, 4, source=1)}
    builds["mart"] = built(61 * MINUTE, 3, staging=2)
    dear, cheap = {"staging": 1.0, "mart": 100.0}, {"staging": 100.0, "mart": 1.0}
    assert set(tick(graph, builds, seconds=dear).requests) == {"staging", "mart"}
    assert set(tick(graph, builds, seconds=cheap).requests) == {"mart"}


def test_a_missed_deadline_is_caught_up_once() -> None:
    graph = Graph.of([SOURCE, Node("daily", deps=("source",), terms=DAILY)])
    builds = {"source": built(0, 9), "daily": built(3 * 86_400, 2, source=1)}
    assert set(tick(graph, builds).requests) == {"daily"}
    builds["daily"] = built(60, 10, source=9)
    assert tick(graph, {**builds, "source": built(0, 11)}).requests == {}


def test_a_dead_source_does_not_make_its_readers_run_without_end() -> None:
    """One input stopped an hour ago and bounds the lag; the other goes on. The pace stays the promise's."""
    graph = Graph.of(
        [SOURCE, Node("dead", managed=False), Node("mart", deps=("source", "dead"), terms=window(15, 30))]
    )
    dead = built(3600, 1)
    builds = {"source": built(0, 9), "dead": dead, "mart": built(60, 8, data_ago=3600, source=7, dead=1)}
    assert tick(graph, builds).requests == {}


def test_a_source_that_always_lags_makes_no_storm() -> None:
    graph = Graph.of([SOURCE, Node("mart", deps=("source",), terms=window(15, 30))])
    builds = {
        "source": built(0, 9, data_ago=50 * MINUTE),
        "mart": built(60, 8, data_ago=51 * MINUTE, source=7),
    }
    assert tick(graph, builds).requests == {}


@pytest.mark.parametrize(("data_ago", "wanted"), [(10.0, True), (12 * MINUTE, True), (30 * MINUTE, False)])
def test_what_was_built_while_its_inputs_came_back_is_built_again_if_that_makes_it_fresh(
    data_ago: float, wanted: bool
) -> None:
    """The first of two inputs had come back when it was built, now the other one has too."""
    graph = Graph.of(
        [SOURCE, Node("other", managed=False), Node("mart", deps=("source", "other"), terms=window(15, 30))]
    )
    builds = {
        "source": built(0, 9),
        "other": built(0, 8, data_ago=data_ago),
        "mart": built(60, 7, data_ago=3600, source=6, other=1),
    }
    assert bool(tick(graph, builds).requests) is wanted


def test_a_cold_start_goes_by_urgency_and_not_all_at_once() -> None:
    hot = [Node(f"hot{i}", deps=("source",), terms=window(5, 10)) for i in range(30)]
    cold = [Node(f"cold{i}", deps=("source",), terms=DAILY) for i in range(30)]
    result = plan(NOW, Graph.of([SOURCE, *cold, *hot]), State({"source": built(0, 1)}), Policy(max_start=40))
    assert len(result.requests) == 40
    assert {f"hot{i}" for i in range(30)} <= set(result.requests)
    assert Verdict.NOT_ADMITTED in {decision.verdict for decision in result.decisions.values()}


def test_what_is_nearly_due_shares_the_run_of_its_lane() -> None:
    graph = Graph.of([SOURCE, STAGING, Node("twin", deps=("source",), terms=window(15, 30))])
    builds = {**settled(), "source": built(0, 9), "twin": built(13 * MINUTE, 4, source=1)}
    result = tick(graph, builds)
    assert result.decisions["twin"].verdict in (Verdict.EARLY, Verdict.REQUESTED)
    alone = tick(
        Graph.of([SOURCE, graph.nodes["twin"]]), {**builds, "twin": built(12.5 * MINUTE, 4, source=1)}
    )
    assert alone.requests == {}


def test_a_manual_build_is_respected() -> None:
    assert tick(CHAIN, {**settled(), **settled(ago=30), "source": built(0, 9)}).requests == {}


def test_a_heavy_run_waits_for_a_hot_run_that_writes_what_it_reads() -> None:
    heavy = Node("heavy", deps=("staging",), terms=window(7 * 1440, 8 * 1440), paced=True)
    builds = {**settled(), "source": built(0, 9), "heavy": built(9 * 86_400, 4, staging=1)}
    result = tick(Graph.of([SOURCE, STAGING, heavy]), builds)
    assert result.requests == {"staging": Lane.HOT}
    assert result.decisions["heavy"].verdict is Verdict.UPSTREAM_BUSY


def test_a_cycle_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cycle among: a, b"):
        Graph.of([Node("a", deps=("b",)), Node("b", deps=("a",))])
