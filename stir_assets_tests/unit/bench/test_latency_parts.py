"""Every second between a mark and its row belongs to one part, whenever the run began that shows it."""

from __future__ import annotations

import pytest

from stir_assets.bench.latency import parts_of


@pytest.mark.parametrize(
    ("noticed", "asked", "started", "expected"),
    [
        # As usual: noticed, then due, queued and built.
        (104.0, 110.0, 112.0, {"noticed": 4, "waited": 6, "queued": 2, "built": 18}),
        # The run was on its way when the mark was put, and had not read yet.
        (104.0, 80.0, 82.0, {"noticed": 0, "waited": 0, "queued": 0, "built": 30}),
        # It waited in the queue then.
        (109.0, 90.0, 107.0, {"noticed": 0, "waited": 0, "queued": 7, "built": 23}),
        # It was asked for because of something else, before the mark was noticed.
        (115.0, 103.0, 105.0, {"noticed": 3, "waited": 0, "queued": 2, "built": 25}),
    ],
)
def test_parts_of_a_mark_add_up(
    noticed: float, asked: float, started: float, expected: dict[str, float]
) -> None:
    parts = parts_of(100.0, noticed, asked, started, 130.0, mart_ended=125.0)
    assert {name: parts[name] for name in expected} == expected
    assert sum(expected.values()) == parts["total"] == 30
    assert parts["path"] == 30 - parts["waited"]
    assert parts["of it models"] + parts["published"] == parts["built"]
    assert parts["published"] == 5
