"""The bars of the last day."""

from __future__ import annotations

from stir_assets.core.scheduling.last_day import HOURS, bars, remember

NOW = 480_000 * 3600.0 + 1800


def test_the_largest_lag_of_each_hour_is_kept_for_a_day() -> None:
    history: dict[str, dict[str, float]] = {}
    for minute in range(0, 30 * 60, 5):
        lag = 900.0 if minute == 29 * 60 + 30 else 60.0
        history = remember(history, {"a": lag}, NOW + minute * 60)
    assert len(history["a"]) == HOURS
    shown = bars(history["a"], 1000.0, NOW + 30 * 3600)
    assert len(shown) == HOURS
    assert shown[-2:] == "▁█"


def test_a_broken_promise_and_an_hour_without_data_are_seen() -> None:
    history = remember({}, {"a": 2000.0}, NOW)
    assert bars(history["a"], 1000.0, NOW).endswith("··!")
    assert remember(history, {}, NOW + 25 * 3600) == {}
