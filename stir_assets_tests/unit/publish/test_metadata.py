"""What the UI is told of a publication."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stir_assets.io_managers.serving_table import publication_metadata
from stir_assets.publish.publication import Publication

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
FIRST = Publication(
    target="public.board", version="board__v1", mode="rename", run_id="run-1", attempt=0, sequence=1, rows=50,
    exported_rows=50, bytes=1, staged_bytes=1, seconds={"load": 1.0, "swap": 0.5}, published_at=AT,
    data_time=AT - timedelta(minutes=5), previous_version=None, previous_run_id=None, previous_rows=None,
    columns=(("id", "bigint", None),), snapshot="clone", copy_format="binary",
)  # fmt: skip


def values(publication: Publication) -> dict[str, object]:
    return {name: getattr(value, "value", value) for name, value in publication_metadata(publication).items()}


def test_lag_is_counted_to_the_moment_the_rows_were_swapped_in() -> None:
    first = values(FIRST)
    assert first["stir/data_time"] == (AT - timedelta(minutes=5)).timestamp()
    assert first["stir/lag_seconds"] == 300
    assert (first["stir/seconds"], first["stir/seconds_swap"]) == (1.5, 0.5)
    unknown = values(replace(FIRST, data_time=None))
    assert not {"stir/data_time", "stir/lag_seconds"} & set(unknown)


def test_only_a_second_publication_has_something_to_be_compared_with() -> None:
    compared = {"stir/previous_run", "stir/previous_rows", "stir/growth"}
    assert not compared & set(values(FIRST))
    second = values(replace(FIRST, previous_run_id="run-0", previous_rows=100))
    assert {name: second[name] for name in compared} == {
        "stir/previous_run": "run-0", "stir/previous_rows": 100, "stir/growth": 0.5,
    }  # fmt: skip
