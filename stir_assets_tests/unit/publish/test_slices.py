"""How counted steps of a frozen table become the slices that are exported."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stir_assets.publish.snapshot import Slice, gathered


def test_the_first_slices_are_smaller_so_that_loading_begins_at_once() -> None:
    counts = [(number, 100) for number in range(40)]
    assert [part.rows for part in gathered(counts, 100, 800)] == [100, 200, 400, 800, 800, 800, 800, 100]


def test_steps_of_which_a_condition_leaves_little_are_exported_together() -> None:
    assert gathered([(2, 3), (5, 4), (90, 1)], 8192, 800) == [Slice(0, 2 * 8192, 91 * 8192, 8)]


def test_a_step_with_more_rows_than_a_slice_is_one() -> None:
    assert [(part.start, part.stop) for part in gathered([(0, 500), (1, 500)], 500, 100)] == [
        (0, 500),
        (500, 1000),
    ]


def test_nothing_gives_no_slices() -> None:
    assert gathered([], 8192, 800) == []


@given(
    counts=st.dictionaries(st.integers(0, 200), st.integers(1, 50), max_size=60),
    full=st.integers(1, 2000),
)
def test_every_counted_row_is_in_exactly_one_slice(counts: dict[int, int], full: int) -> None:
    slices = gathered(sorted(counts.items()), 50, full)
    assert [part.number for part in slices] == list(range(len(slices)))
    assert all(one.stop <= other.start for one, other in itertools.pairwise(slices))
    for part in slices:
        assert part.rows == sum(
            rows for number, rows in counts.items() if part.start <= number * 50 < part.stop
        )
    assert sum(part.rows for part in slices) == sum(counts.values())
