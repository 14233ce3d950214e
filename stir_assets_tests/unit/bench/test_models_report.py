"""The report of `stir bench models`: order, growth marks and totals."""

from __future__ import annotations

import pytest

from stir_assets.bench.models import Cost, growth_bound, table

ROWS = {1.0: 1_000_000, 10.0: 10_000_000}


def costs(cpu_small: float, cpu_large: float, peak: int = 1 << 20) -> dict[float, dict[str, Cost]]:
    return {
        1.0: {"mart_a": Cost(1.0, cpu_small, 1 << 20, 10), "mart_b": Cost(0.1, 0.1, 1 << 20, 10)},
        10.0: {"mart_a": Cost(9.0, cpu_large, peak, 100), "mart_b": Cost(0.2, 0.5, 1 << 20, 100)},
    }


def test_ten_times_the_rows_may_take_a_little_more_than_ten_times_as_long() -> None:
    assert growth_bound(1_000_000, 10_000_000) == pytest.approx(11.67, abs=0.01)


def test_the_slowest_comes_first_and_the_totals_last() -> None:
    lines = table(costs(1.0, 10.0), ROWS, top=0)
    assert [line.split()[0] for line in lines[1:3]] == ["mart_a", "mart_b"]
    assert lines[1].endswith("10.0x  ")
    assert lines[-1] == "2 models at scale 10: 9 s, highest peak 1 MiB"
    assert len(table(costs(1.0, 10.0), ROWS, top=1)) == len(lines) - 1


@pytest.mark.parametrize(
    ("cpu_small", "cpu_large", "peak", "marked"),
    [
        pytest.param(1.0, 11.0, 1 << 20, "", id="within n log n"),
        pytest.param(1.0, 13.0, 1 << 20, "!", id="worse than n log n"),
        pytest.param(0.01, 0.9, 1 << 20, "", id="too short to tell"),
        pytest.param(1.0, 10.0, 5 << 30, "!", id="too much memory"),
    ],
)
def test_bad_growth_and_memory_are_marked(cpu_small: float, cpu_large: float, peak: int, marked: str) -> None:
    line = table(costs(cpu_small, cpu_large, peak), ROWS, top=1)[1]
    assert line.rstrip().endswith("!") == bool(marked)


def test_one_scale_alone_has_no_growth() -> None:
    alone = {10.0: costs(1.0, 10.0)[10.0]}
    assert "x" not in table(alone, {10.0: 5}, top=1)[1]
