"""Freshness terms and durations: what is accepted, and that an error names the place."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from stir_assets.core.durations import format_duration, parse_duration
from stir_assets.core.freshness import (
    DeadlineTerms,
    WindowTerms,
    daily_by,
    parse_terms,
    terms_as_written,
    within,
)
from stir_assets.errors import ConfigError
from stir_assets.policies import freshness_policy


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("15m", 900), ("2h", 7200), ("8d", 691_200), ("1h30m", 5400), ("1h 30m", 5400)],
)
def test_durations_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)


@pytest.mark.parametrize("text", ["", "15", "m", "15 minutes", "-5m", "0m", "1.5h", "15m!"])
def test_other_durations_are_refused_with_the_form_wanted(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_negative_duration_is_shown_with_a_minus() -> None:
    assert format_duration(timedelta(minutes=-5)) == "-5m"


def test_a_window_and_a_deadline_are_read() -> None:
    assert parse_terms({"warn": "15m", "fail": "30m"}, where="x") == WindowTerms(
        warn=timedelta(minutes=15), fail=timedelta(minutes=30)
    )
    assert parse_terms({"deadline": "20:15 UTC", "lookback": "26h"}, where="x") == DeadlineTerms(
        deadline=time(20, 15), lookback=timedelta(hours=26)
    )
    assert parse_terms(None, where="x") is None


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ({"warn": "30m", "fail": "15m"}, "must be shorter"),
        ({"warn": "15m", "fail": "15m"}, "must be shorter"),
        ({"warn": "30s", "fail": "15m"}, "under a minute"),
        ({"warn": "15m"}, "has the keys warn"),
        ({"warn": "15m", "fail": "soon"}, "freshness.fail: 'soon'"),
        ({"deadline": "20:15", "lookback": "26h"}, 'write it like "20:15 UTC"'),
        ({"deadline": "25:15 UTC", "lookback": "26h"}, "25:15 UTC"),
        ({"deadline": "20:15 UTC", "lookback": "24h"}, "longer than 24h"),
        ({"deadline": "20:15 UTC", "lookback": "26h", "every": "24h"}, "shorter than a day"),
        ({"warn": "15m", "fail": "30m", "every": "15m"}, r"shorter than warn (15m)"),
        ({"warn": "15m", "fail": "30m", "every": "5s"}, "at least 15s"),
        ({"every": "2h"}, "has the keys every"),
        ({"warn": "15m", "fail": "30m", "share": "20%"}, "beside an `every`"),
        ({"warn": "15m", "fail": "30m", "every": "1m", "share": "60%"}, "1% to 50%"),
        ({"warn": "15m", "fail": "30m", "every": "1m", "share": 0.2}, "freshness.share is 0.2"),
        ("hourly", "freshness is 'hourly'"),
    ],
)
def test_bad_terms_are_refused_naming_the_place(raw: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=r"models/marts/x\.yml") as error:
        parse_terms(raw, where="models/marts/x.yml")
    assert complaint in str(error.value)


def test_the_last_deadline_before_an_instant() -> None:
    terms = DeadlineTerms(deadline=time(20, 15), lookback=timedelta(hours=26))
    evening = datetime(2030, 1, 2, 20, 15, tzinfo=UTC).timestamp()
    assert terms.last_before(evening) == evening
    assert terms.last_before(evening + 86_399) == evening
    assert terms.last_before(evening - 1) == evening - 86_400


def test_an_aim_may_be_shorter_than_the_promise() -> None:
    daily = parse_terms({"deadline": "20:15 UTC", "lookback": "26h", "every": "2h"}, where="x")
    assert daily == daily_by("20:15 UTC", lookback="26h", every="2h")
    assert daily is not None
    assert daily.pace == timedelta(hours=2)
    assert str(daily) == "by 20:15 UTC daily, within 1d2h, aims at 2h"
    for declared in (
        within(warn="7d", fail="8d", every="6h"),
        within(warn="5m", fail="10m", every="45s", share="50%"),
    ):
        assert parse_terms(terms_as_written(declared), where="x") == declared
    assert str(declared) == "within 10m (warn 5m), aims at 45s in 50% of the time"
    assert within(warn="7d", fail="8d").pace == timedelta(days=7)


def test_terms_become_dagsters_own_policies() -> None:
    window = freshness_policy(WindowTerms(warn=timedelta(minutes=5), fail=timedelta(minutes=10)))
    assert window.fail_window.to_timedelta() == timedelta(minutes=10)  # pyright: ignore
    deadline = freshness_policy(DeadlineTerms(deadline=time(20, 15), lookback=timedelta(hours=26)))
    assert deadline.deadline_cron == "15 20 * * *"  # pyright: ignore
