"""Lag, state and blame; promises that cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping

from stir_assets.core.freshness import daily_by, within
from stir_assets.core.scheduling.feasibility import impossible_promises
from stir_assets.core.scheduling.model import Build, Failures, Graph, Node, State
from stir_assets.core.scheduling.planner import plan
from stir_assets.core.scheduling.report import AssetFreshness, Freshness, freshness_report

NOW = 1_900_000_000.0
MINUTE = 60.0
HALF = within(warn="15m", fail="30m")
GRAPH = Graph.of(
    [
        Node("source", managed=False, terms=within(warn="10m", fail="3h")),
        Node("other", managed=False, terms=within(warn="10m", fail="3h")),
        Node("staging", deps=("source",), terms=HALF),
        Node("mart", deps=("staging", "other"), terms=HALF),
    ]
)


def build(ago: float, version: int, data_ago: float, **read: int) -> Build:
    return Build(NOW - ago * MINUTE, version, read=read, data_time=NOW - data_ago * MINUTE)


def report(
    builds: Mapping[str, Build], failures: Mapping[str, Failures] | None = None
) -> dict[str, AssetFreshness]:
    state = State(builds, failures=failures or {})
    return {asset.key: asset for asset in freshness_report(NOW, GRAPH, state, plan(NOW, GRAPH, state))}


def test_a_mart_rebuilt_every_minute_from_a_dead_stream_is_stale_and_the_stream_is_blamed() -> None:
    found = report(
        {
            "source": build(90, 1, 90),
            "other": build(0, 9, 0),
            "staging": build(1, 2, 90, source=1),
            "mart": build(1, 3, 90, staging=2, other=8),
        }
    )["mart"]
    assert found.state is Freshness.BROKEN
    assert found.lag == 90 * MINUTE
    assert found.own_lag == 0
    assert found.blame == ("mart", "staging", "source")
    assert "1h30m" in found.reason


def test_who_fails_is_blamed_and_not_its_reader_or_its_source() -> None:
    found = report(
        {
            "source": build(0, 9, 0),
            "other": build(0, 9, 0),
            "staging": build(50, 2, 50, source=1),
            "mart": build(5, 3, 50, staging=2, other=8),
        },
        {"staging": Failures(3, NOW - 30)},
    )["mart"]
    assert found.blame == ("mart", "staging")
    assert "failed 3 times" in found.reason
    assert found.own_lag == 50 * MINUTE


def test_states() -> None:
    found = report({"source": build(0, 1, 0), "other": build(0, 2, 20), "staging": build(1, 3, 1, source=1)})
    assert found["staging"].state is Freshness.FRESH
    assert found["staging"].blame == ()
    assert found["other"].state is Freshness.AT_RISK
    assert found["mart"].state is Freshness.NEVER_BUILT
    assert found["mart"].blame == ("mart",)


def test_a_promise_that_its_source_cannot_keep_is_found() -> None:
    def problems(fail: str) -> list[str]:
        graph = Graph.of(
            [
                Node("source", managed=False, terms=within(warn="1h", fail="3h")),
                Node("mart", deps=("source",), terms=within(warn="30m", fail=fail)),
            ]
        )
        return [problem.reason for problem in impossible_promises(graph, {"mart": 60.0})]

    assert problems("2h") == []
    (reason,) = problems("1h")
    assert "source may be 1h old" in reason


def test_a_promise_that_its_run_times_cannot_keep_is_found() -> None:
    graph = Graph.of([Node("source", managed=False), Node("mart", deps=("source",), terms=HALF)])
    assert impossible_promises(graph, {"mart": 300.0}) == []
    (problem,) = impossible_promises(graph, {"mart": 900.0})
    assert problem.key == "mart"


def test_a_daily_promise_leaves_room_for_its_source() -> None:
    def possible(lookback: str) -> bool:
        graph = Graph.of(
            [
                Node("source", managed=False, terms=within(warn="3h", fail="12h")),
                Node("daily", deps=("source",), terms=daily_by("20:15 UTC", lookback=lookback), paced=True),
            ]
        )
        return not impossible_promises(graph, {})

    assert possible("30h")
    assert not possible("26h")
