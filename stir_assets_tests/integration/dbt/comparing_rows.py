"""Compares the rows of a model with rows computed by hand, and says where they differ."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Key = tuple[Any, ...]
Row = Mapping[str, Any]


def assert_same_rows(actual: Mapping[Key, Row], expected: Mapping[Key, Row]) -> None:
    """Both have the same keys, and every column of an expected row agrees (floats to 9 digits)."""
    assert expected, (
        "nothing was computed by hand: the world is empty, and the comparison would prove nothing"
    )
    missing, extra = (
        sorted(set(expected) - set(actual), key=str),
        sorted(set(actual) - set(expected), key=str),
    )
    assert not missing, f"{len(missing)} rows are missing from the model, such as {missing[:3]}"
    assert not extra, f"{len(extra)} rows of the model have no reason to be there, such as {extra[:3]}"
    differences = [
        f"{key} {column}: model {actual[key][column]!r}, by hand {value!r}"
        for key, row in expected.items()
        for column, value in row.items()
        if not _agree(actual[key][column], value)
    ]
    assert not differences, f"{len(differences)} values differ:\n" + "\n".join(differences[:20])


def _agree(actual: Any, expected: Any) -> bool:
    if isinstance(actual, float) and isinstance(expected, int | float):
        return math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-12)
    return actual == expected
