"""The scheduler's rules on real Dagster evaluation, tick by tick, one test each."""

from collections.abc import Iterator
from datetime import time, timedelta
from itertools import pairwise
from typing import Any

import dagster as dg
import pytest

from stir_assets.automation.condition import freshness_driven
from stir_assets.automation.decide import POLICY
from stir_assets.automation.graph import terms_metadata
from stir_assets.automation.temporary_terms import set_temporary_terms
from stir_assets.core.freshness import parse_terms
from stir_assets_tests.integration.automation.simulated import START, TICK, World, asset

HALF = {"warn": "15m", "fail": "30m"}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def chain(**options: object) -> World:
    """source -> staging -> mart, both within 30 minutes."""
    world = World(
        [
            dg.AssetSpec("source"),
            asset("staging", ["source"], HALF, **options),  # pyright: ignore[reportArgumentType]
            asset("mart", ["staging"], HALF, **options),  # pyright: ignore[reportArgumentType]
        ]
    )
    world.event("source")
    return world


def started(**options: object) -> World:
    """The chain after its first build."""
    world = chain(**options)
    world.tick()
    assert world.runs[0].keys == {"staging", "mart"}
    return world


def test_new_data_and_a_term_coming_due_request_the_asset_with_what_it_needs_in_one_run() -> None:
    world = started()
    world.pass_time(5 * MINUTE, sources=["source"])
    assert len(world.runs) == 1
    world.pass_time(11 * MINUTE, sources=["source"])
    assert [run.keys for run in world.runs[1:]] == [{"staging", "mart"}]
    due = world.runs[1].at - START
    assert 13 * MINUTE < due < 15 * MINUTE


def test_no_new_data_no_run_and_few_heartbeats_keep_dagsters_policy_truthful() -> None:
    world = started()
    assert world.pass_time(3 * HOUR, every=MINUTE) == 0
    last = world.last("mart")
    assert world.now.timestamp() - last.timestamp < 15 * 60
    events = world.instance.fetch_materializations(dg.AssetKey("mart"), limit=1000).records
    assert 10 < len(events) < 26
    # The reader of a heartbeat sees nothing new, and later news is still noticed.
    world.event("source")
    assert [run.keys for run in world.tick()] == [{"staging", "mart"}]


def test_the_same_data_reported_again_is_no_news() -> None:
    world = chain()
    world.event("source", version="v1")
    world.tick()
    world.now += timedelta(hours=1)
    world.event("source", version="v1")
    assert world.tick() == []


def test_an_update_that_arrives_while_the_run_is_in_flight_is_not_lost() -> None:
    world = started()
    world.now += 20 * MINUTE
    world.event("source")
    run = world.unfinished(["staging", "mart"])
    world.now += MINUTE
    world.event("source", version="during the run")
    assert world.tick() == []
    world.end(run, dg.DagsterRunStatus.FAILURE)
    world.execute(["staging", "mart"])
    world.now += 20 * MINUTE
    assert world.tick() == []
    world.event("source", version="after the run")
    assert len(world.tick()) == 1


def test_due_time_is_reckoned_back_by_measured_run_times() -> None:
    slow = 240.0
    world = World([dg.AssetSpec("source"), asset("slow", ["source"], HALF, seconds=slow)])
    world.event("source")
    world.tick()
    world.pass_time(12 * MINUTE, sources=["source"])
    waited = (world.runs[1].at - START).total_seconds()
    expected = 15 * 60 - slow * POLICY.margin - POLICY.poll - POLICY.overhead
    # Half a tick of rounding each way, and the newest event at the start is as old as the build.
    assert abs(waited - expected) <= 2 * TICK.total_seconds()


@pytest.mark.parametrize("busy", ["staging", "mart"])
def test_nothing_is_requested_while_it_or_what_it_needs_is_in_progress(busy: str) -> None:
    world = started()
    world.now += 20 * MINUTE
    world.event("source")
    world.unfinished([busy])
    assert "mart" not in {key for run in world.tick() for key in run.keys}


def test_a_failure_buys_bounded_retries_with_growing_waits_and_never_a_storm() -> None:
    broken: set[str] = set()
    world = started(broken=broken)
    world.now += 15 * MINUTE
    broken.add("staging")
    world.pass_time(timedelta(hours=3), sources=["source"], every=4 * TICK)
    attempts = world.runs_of("staging")[1:]
    assert len(attempts) == POLICY.attempts
    waits = [later.at - earlier.at for earlier, later in pairwise(attempts)]
    assert waits == sorted(waits)
    assert waits[0] >= timedelta(seconds=60)
    assert waits[-1] >= timedelta(seconds=240)
    broken.clear()
    world.execute(["staging", "mart"])
    world.pass_time(20 * MINUTE, sources=["source"], every=4 * TICK)
    assert world.runs_of("mart")[-1].at > attempts[-1].at


def test_who_was_only_skipped_in_a_failed_run_is_not_held_back() -> None:
    broken = {"bad"}
    world = World(
        [
            dg.AssetSpec("source"),
            asset("bad", ["source"], HALF, broken=broken),
            asset("good", ["source"], HALF, broken=broken),
            asset("reader", ["bad"], HALF, broken=broken),
        ]
    )
    world.event("source")
    world.tick()
    world.pass_time(timedelta(minutes=40), sources=["source"], every=4 * TICK)
    assert len(world.runs_of("good")) >= 3
    # Repaired by hand: its reader goes at once, because no failure was its own.
    broken.clear()
    world.execute(["bad"])
    world.now += TICK
    assert "reader" in {key for run in world.tick() for key in run.keys}


def test_within_one_op_only_the_first_broken_model_is_to_blame() -> None:
    """As in dbt: one step builds both, and what reads the broken one is skipped in it."""
    broken = {"bad"}
    metadata = terms_metadata(parse_terms(HALF, where="test"), HALF)
    common = {"metadata": metadata, "automation_condition": freshness_driven()}

    @dg.multi_asset(
        specs=[
            dg.AssetSpec("bad", deps=["source"], skippable=True, **common),
            dg.AssetSpec("reader", deps=["bad"], skippable=True, **common),
        ],
        can_subset=True,
    )
    def models(context: dg.AssetExecutionContext) -> Any:
        for key in ("bad", "reader"):
            if dg.AssetKey(key) in context.selected_asset_keys:
                if key in broken:
                    raise RuntimeError("broken")
                yield dg.MaterializeResult(asset_key=key)

    world = World([dg.AssetSpec("source"), models])
    world.event("source")
    assert [run.keys for run in world.tick()] == [{"bad", "reader"}]
    broken.clear()
    world.execute(["bad"])
    world.now += TICK
    assert [run.keys for run in world.tick()] == [{"reader"}]


def test_what_somebody_cancels_is_left_alone_for_a_while() -> None:
    world = started()
    world.now += 20 * MINUTE
    world.event("source")
    run = world.unfinished(["staging", "mart"])
    world.end(run, dg.DagsterRunStatus.CANCELED)
    assert world.tick() == []
    world.now += timedelta(seconds=100)
    assert world.tick() == []
    world.now += timedelta(seconds=30)
    assert len(world.tick()) == 1


def test_the_first_start_goes_by_urgency_and_not_all_at_once() -> None:
    cold = [asset(f"cold{i}", ["source"], {"warn": "7d", "fail": "8d"}, group="cold") for i in range(30)]
    hot = [asset(f"hot{i}", ["source"], {"warn": "5m", "fail": "10m"}, group="hot") for i in range(30)]
    world = World([dg.AssetSpec("source"), *cold, *hot], paused=True)
    world.event("source")
    requested = {key for run in world.tick() for key in run.keys}
    assert len(requested) == POLICY.max_start
    assert {f"hot{i}" for i in range(30)} <= requested


def test_missed_time_is_caught_up_once_not_per_missed_tick() -> None:
    world = started()
    world.now += timedelta(hours=9)
    world.event("source")
    assert [run.keys for run in world.tick()] == [{"staging", "mart"}]
    world.now += TICK
    assert world.tick() == []


def test_a_missed_deadline_is_caught_up_once() -> None:
    world = World(
        [dg.AssetSpec("source"), asset("daily", ["source"], {"deadline": "20:15 UTC", "lookback": "26h"})]
    )
    world.event("source")
    world.tick()
    world.now = START + timedelta(days=3)
    assert world.pass_time(timedelta(hours=1), sources=["source"], every=2 * MINUTE) == 1


def test_a_deadline_is_met_before_its_time_once_a_day() -> None:
    world = World(
        [dg.AssetSpec("source"), asset("daily", ["source"], {"deadline": "20:15 UTC", "lookback": "26h"})]
    )
    world.event("source")
    world.tick()
    for _ in range(2):  # a day from noon to noon, looked at closely around the deadline
        world.pass_time(7 * HOUR, sources=["source"], every=30 * MINUTE)
        world.pass_time(2 * HOUR, sources=["source"], every=5 * MINUTE)
        world.pass_time(15 * HOUR, sources=["source"], every=30 * MINUTE)
    moments = [run.at for run in world.runs[1:]]
    assert [moment.day for moment in moments] == [2, 3]
    assert all(time(19, 50) < moment.time() < time(20, 15) for moment in moments)


def test_hot_and_heavy_are_runs_of_their_own_with_priorities() -> None:
    world = World(
        [
            dg.AssetSpec("source"),
            asset("hot", ["source"], {"warn": "5m", "fail": "10m"}),
            asset("heavy", ["source"], {"warn": "7d", "fail": "8d"}),
        ]
    )
    world.event("source")
    hot, heavy = world.tick()
    assert (hot.keys, heavy.keys) == ({"hot"}, {"heavy"})
    assert (hot.tags["stir/lane"], heavy.tags["stir/lane"]) == ("hot", "heavy")
    assert int(hot.tags["dagster/priority"]) > int(heavy.tags["dagster/priority"])


def test_a_running_batch_holds_no_short_promise_back() -> None:
    """Instead of hours that the frequent tables leave to the batch: both go on, and the hot one goes first."""
    world = World(
        [
            dg.AssetSpec("source"),
            asset("hot", ["source"], {"warn": "5m", "fail": "10m"}),
            asset("batch", ["hot"], {"deadline": "20:15 UTC", "lookback": "26h"}),
        ]
    )
    world.event("source")
    world.tick()
    world.unfinished(["batch"])
    runs = world.pass_time(11 * MINUTE, sources=["source"])
    assert runs == 2
    assert all(run.keys == {"hot"} and run.tags["stir/lane"] == "hot" for run in world.runs[-2:])


def test_an_aim_refreshes_more_often_than_the_promise_asks_in_the_promises_lane() -> None:
    terms = {"deadline": "20:15 UTC", "lookback": "26h", "every": "3h"}
    world = World([dg.AssetSpec("source"), asset("daily", ["source"], terms)])
    world.event("source")
    world.tick()
    assert world.pass_time(timedelta(hours=9), sources=["source"], every=5 * MINUTE) == 3
    assert {run.tags["stir/lane"] for run in world.runs} == {"heavy"}
    # The aim is nobody's promise: without news nothing runs, however old.
    assert world.pass_time(timedelta(hours=6), every=30 * MINUTE) <= 1


def test_a_family_due_together_is_one_run_and_strangers_are_not() -> None:
    world = World(
        [
            dg.AssetSpec("source"),
            *(asset(f"one{i}", ["source"], HALF, group="one") for i in range(3)),
            asset("other", ["source"], HALF, group="two"),
        ]
    )
    world.event("source")
    assert {run.keys for run in world.tick()} == {frozenset({"one0", "one1", "one2"}), frozenset({"other"})}


def test_a_materialization_by_hand_is_respected() -> None:
    world = started()
    world.now += 13 * MINUTE
    world.event("source")
    world.execute(["staging", "mart"])
    assert world.pass_time(10 * MINUTE, sources=["source"], every=4 * TICK) == 0


def test_changing_a_term_needs_no_migration() -> None:
    world = started()
    changed = World(
        [
            dg.AssetSpec("source"),
            asset("staging", ["source"], HALF),
            asset("mart", ["staging"], {"warn": "2m", "fail": "4m"}),
        ],
        instance=world.instance,
        now=world.now + 3 * MINUTE,
        cursor=world.cursor,
    )
    changed.event("source")
    assert [run.keys for run in changed.tick()] == [{"staging", "mart"}]


def test_a_lost_cursor_changes_no_decision() -> None:
    world = started()
    world.now += MINUTE
    world.event("source")
    world.cursor = None
    assert world.tick() == []


def test_without_conditions_nothing_runs_though_the_sensor_does() -> None:
    world = World([dg.AssetSpec("source"), asset("mart", ["source"], HALF, driven=False)])
    world.event("source")
    assert world.tick() == []


def test_the_automation_tab_names_the_leaf_that_decided() -> None:
    world = started()
    world.now += 20 * MINUTE
    world.event("source")
    world.unfinished(["mart"])
    world.tick()
    (root,) = [found for found in world.evaluations if found.key == dg.AssetKey("mart")]
    leaves = {leaf.condition_snapshot.name: not leaf.true_subset.is_empty for leaf in _leaves(root)}
    assert leaves["Due"]
    assert leaves["NewDataUpstream"]
    assert root.true_subset.is_empty
    # Negated: true means that it holds the asset back.
    assert leaves["InProgress"]


def test_lent_terms_hold_until_their_time_is_over() -> None:
    world = started()
    set_temporary_terms(
        world.instance, {"mart": {"warn": "2m", "fail": "4m"}}, (world.now + 10 * MINUTE).timestamp()
    )
    world.pass_time(10 * MINUTE, sources=["source"], every=MINUTE / 2)
    assert 4 <= len(world.runs_of("mart")) - 1 <= 10
    before = len(world.runs)
    world.pass_time(10 * MINUTE, sources=["source"], every=MINUTE / 2)
    assert len(world.runs) - before <= 1


def test_runs_that_never_began_make_the_next_wait_but_use_up_no_attempt() -> None:
    world = started()
    world.paused = True
    world.now += 20 * MINUTE
    world.event("source")
    waits = []
    for _ in range(6):
        world.end(world.unfinished(["staging", "mart"], started=False), dg.DagsterRunStatus.FAILURE)
        failed_at = world.now
        while not world.tick():
            world.now += MINUTE
        waits.append((world.now - failed_at) // MINUTE)
    assert waits == [1, 2, 4, 8, 16, 30]


def test_a_tick_evaluates_only_what_is_decided_otherwise_than_before() -> None:
    world = started()
    world.tick()
    world.tick()
    assert world.evaluations == []
    world.now += 20 * MINUTE
    world.tick()
    assert {found.key.to_user_string() for found in world.evaluations} == {"staging", "mart"}
    world.tick()
    assert world.evaluations == []


def _leaves(evaluation: Any) -> Iterator[Any]:
    if not evaluation.child_evaluations:
        yield evaluation
    for child in evaluation.child_evaluations:
        yield from _leaves(child)


def test_what_passed_lately_is_not_tested_again_and_what_failed_is_until_it_passes() -> None:
    bad: set[str] = set()

    def check(name: str) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset="hot", name=name)
        def found() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=name not in bad)

        return found

    hot = asset("hot", ["source"], {"warn": "2m", "fail": "4m"})
    world = World([dg.AssetSpec("source"), hot], checks=[check("positive"), check("unique")])

    def tested() -> set[str]:
        """With the run of the next three minutes."""
        world.now += 3 * MINUTE
        world.event("source")
        (run,) = world.tick()
        return {check.name for check in run.checks}

    assert tested() == {"positive", "unique"}
    assert [tested(), tested(), tested()] == [set(), set(), set()]
    bad.add("unique")
    assert tested() == {"positive", "unique"}
    assert [tested(), tested()] == [{"unique"}, {"unique"}]
    bad.clear()
    assert [tested(), tested()] == [{"unique"}, {"positive"}]
