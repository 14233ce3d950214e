"""The simulation: jumps lose nothing, lags are exact, cron tables fire when cron does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stir_assets.core.freshness import daily_by, within
from stir_assets.core.scheduling.cron_tiers import CRON_TIERS, Cron
from stir_assets.core.scheduling.lag import LagHistory
from stir_assets.core.scheduling.model import Graph, Lane, Node, Policy
from stir_assets.core.scheduling.simulation import Setting, Simulation

START = datetime(2030, 1, 7, tzinfo=UTC)
HOUR = 3600.0


def setting() -> Setting:
    graph = Graph.of(
        [
            Node("stream", managed=False),
            Node("slow", managed=False, terms=within(warn="3h", fail="12h")),
            Node("frozen", managed=False),
            Node("staging", deps=("stream",), terms=within(warn="15m", fail="30m")),
            Node("side", deps=("slow",), terms=within(warn="2h", fail="4h"), paced=True),
            Node("mart", deps=("staging", "side", "frozen"), terms=within(warn="30m", fail="1h")),
            Node("fast", deps=("stream",), terms=within(warn="5m", fail="10m")),
            Node("lists", deps=("frozen",), terms=within(warn="2h", fail="4h")),
            Node("daily", deps=("mart",), terms=daily_by("20:15 UTC", lookback="30h"), paced=True),
            Node(
                "aiming", deps=("mart",), terms=daily_by("20:15 UTC", lookback="26h", every="3h"), paced=True
            ),
        ]
    )
    return Setting(graph, {"stream": 60.0, "slow": HOUR}, {"mart": 40.0, "daily": 400.0})


def test_jumping_from_event_to_event_decides_as_looking_at_every_tick_does() -> None:
    jumping = Simulation(setting(), START.timestamp()).run_terms(24 * HOUR)
    looking = Simulation(setting(), START.timestamp()).run_terms(24 * HOUR, every_tick=True)
    assert jumping.requests == looking.requests
    assert jumping.ticks < looking.ticks / 3
    assert len(jumping.requests) > 270


def test_promises_are_kept_in_the_simulation() -> None:
    outcome = Simulation(setting(), START.timestamp()).run_terms(36 * HOUR)
    assert outcome.lags["fast"].longest < 600
    assert outcome.lags["staging"].longest < 1800
    assert outcome.lags["mart"].longest < HOUR
    assert outcome.lags["daily"].longest < 30 * HOUR
    assert outcome.lags["aiming"].longest < 3.1 * HOUR
    assert "lists" not in outcome.lags


def test_no_news_no_work() -> None:
    quiet = Setting(setting().graph, {})
    assert Simulation(quiet, START.timestamp()).run_terms(36 * HOUR).requests == []


def test_a_schedule_starts_at_its_times_and_one_at_a_time() -> None:
    world = Setting(setting().graph, {"stream": 60.0}, {"mart": 2000.0}, policy=Policy(overhead=0))
    starts = [
        ((START + timedelta(minutes=30 * n)).timestamp(), "tier", ("staging", "mart")) for n in range(5)
    ]
    outcome = Simulation(world, START.timestamp()).run_schedule(3 * HOUR, starts, lambda name: Lane.REGULAR)
    # The one at 30 minutes goes on until 63.4 minutes: the start at 60 is skipped, as cron did.
    minutes = [(request.at - START.timestamp()) / 60 for request in outcome.requests]
    assert minutes == [30, 90]


def test_lag_grows_by_the_clock_and_drops_with_what_is_served() -> None:
    lag = LagHistory(since=100.0)
    lag.served(0.0, 0.0)
    lag.served(200.0, 190.0)
    lag.close(400.0)
    # 100..200: from 100 to 200 s old; 200..400: from 10 to 210 s old.
    assert lag.longest == 210
    assert lag.mean == pytest.approx((100 * 150 + 200 * 110) / 300)
    assert lag.percentile(0.5) == pytest.approx(130, abs=1)
    assert lag.percentile(1.0) == pytest.approx(210, abs=1)


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [("*/30 * * * *", 48), ("0 1-23/2 * * *", 12), ("0 */5 * * *", 5), ("15 20 * * *", 1), ("0 * * * *", 24)],
)
def test_cron_fields(schedule: str, minutes: int) -> None:
    day = [START + timedelta(minutes=minute) for minute in range(1440)]
    assert sum(Cron("x", schedule).fires(moment) for moment in day) == minutes


def test_the_weekly_tier_steps_over_days_of_the_month() -> None:
    (weekly,) = [cron for cron in CRON_TIERS if cron.name == "dbt_weekly"]
    january = [datetime(2030, 1, 1, 6, tzinfo=UTC) + timedelta(days=day) for day in range(31)]
    assert [moment.day for moment in january if weekly.fires(moment)] == [1, 8, 15, 22, 29]


def test_two_tiers_leave_the_evening_to_the_batch() -> None:
    tiers = {cron.name: cron for cron in CRON_TIERS}
    evening = datetime(2030, 1, 7, 19, 30, tzinfo=UTC)
    assert not tiers["dbt_collections"].fires(evening)
    assert tiers["dbt_staging_collections"].fires(evening)
