"""Faults 15 and 16: a candidate that is not fit to be seen, and columns that are not those of the live table."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from stir_assets.publish import snapshot
from stir_assets.publish.errors import ContractError, Refused, TypeConversionError
from stir_assets.publish.target import Column, Guards, SqlCheck
from stir_assets_tests.integration.publish.conftest import PREVIOUS_ONLY, TARGET, Desk

_CHECK = Guards(checks=(SqlCheck("none of version 2", "select * from {table} where version = 2"),))
_NOT_NULL = (*TARGET.columns[:2], Column("name", "text", nullable=False))


@pytest.mark.parametrize(
    ("rows", "row", "changes", "guard", "kept"),
    [
        # Sizes are known before a byte moves, and a violated constraint ends the load: nothing is there to be kept.
        pytest.param(500, None, {}, "max_shrink", False, id="half of the rows"),
        pytest.param(1000, None, {"guards": Guards(min_rows=1001)}, "min_rows", False, id="too few rows"),
        pytest.param(1000, "(7777, 2, null)", {"columns": _NOT_NULL, "allow_schema_change": True}, "not null name", False,
                     id="a null"),
        pytest.param(1000, None, {"check_constraints": {"new": "version <> 2"}}, "check constraint new", False,
                     id="a check constraint"),
        pytest.param(1000, "(5, 2, 'twice')", {}, "unique key board_pkey", True, id="a key twice"),
        pytest.param(1000, None, {"guards": _CHECK}, "check none of version 2", True, id="a check of one's own"),
    ],
)  # fmt: skip
def test_15_a_guard_refuses_and_the_live_table_stays(
    desk: Desk, rows: int, row: str | None, changes: dict[str, Any], guard: str, kept: bool
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2, rows)
    if row:
        desk.client.command(f"insert into source values {row}")
    with pytest.raises(Refused) as refused:
        desk.publish(**changes)
    assert refused.value.guard == guard
    assert "live table is unchanged" in str(refused.value)
    assert desk.live() == (1000, 1, 1)
    assert (refused.value.candidate is not None) == kept
    if refused.value.candidate:
        assert desk.rows(f"select min(version) from {refused.value.candidate}") == [(2,)]
    assert desk.leftovers().versions == int(kept)
    desk.fill(3)
    desk.publish()
    assert desk.live() == (1000, 3, 3)
    assert desk.leftovers().versions == 1


def test_an_interrupt_while_a_refused_publication_is_taken_back_leaves_no_run_half_done(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    desk.fill(1)
    desk.publish()
    desk.fill(2, 500)
    with monkeypatch.context() as patch:
        patch.setattr(snapshot, "drop", interrupt)
        with pytest.raises(KeyboardInterrupt):
            desk.publish()
    assert desk.rows("select state from stir_publish.run order by started desc limit 1") == [("rejected",)]
    assert desk.live() == (1000, 1, 1)
    desk.fill(2)
    desk.publish()
    assert desk.live() == (1000, 2, 2)
    assert desk.leftovers() == PREVIOUS_ONLY


ID, VERSION, NAME = TARGET.columns


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param((ID, VERSION, NAME, Column("extra", "integer", source="1")), "extra is new", id="added"),
        pytest.param((ID, VERSION), "name is gone", id="removed"),
        pytest.param((ID, NAME, VERSION), "order of the columns changes", id="reordered"),
        pytest.param(
            (ID, Column("version", "bigint", nullable=False), NAME), "from integer to bigint", id="retyped"
        ),
        pytest.param((ID, Column("version", "integer"), NAME), "version allows NULL", id="nullable"),
    ],
)
def test_16_a_changed_column_is_refused_before_anything_is_exported(
    desk: Desk, columns: tuple[Column, ...], message: str
) -> None:
    desk.fill(1)
    desk.publish()
    desk.fill(2)
    phases: list[str] = []
    with pytest.raises(ContractError, match=re.escape(message)):
        desk.publish(columns=columns, on_progress=lambda progress: phases.append(progress.phase))
    assert phases == ["preflight"]
    assert desk.live() == (1000, 1, 1)
    publication = desk.publish(columns=columns, allow_schema_change=True)
    assert any(message in warning for warning in publication.warnings)
    assert desk.live() == (1000, 2, 2)


def test_16_what_a_changed_column_does_to_prepared_readers(desk: Desk) -> None:
    """Why a change must be asked for: a prepared SELECT * of an open session fails from then on, for good."""
    desk.fill(1)
    desk.publish()
    with psycopg.connect(desk.dsn, autocommit=True) as reader:
        everything, named = "select * from public.board limit 1", "select id, name from public.board limit 1"
        for _ in range(3):
            reader.execute(everything, prepare=True)
            reader.execute(named, prepare=True)
        columns = (*TARGET.columns, Column("extra", "integer", source="1"))
        desk.publish(columns=columns, allow_schema_change=True)
        assert reader.execute(named, prepare=True).fetchone() is not None
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
            reader.execute(everything, prepare=True)
    assert desk.live() == (1000, 1, 1)


def test_a_column_that_the_relation_has_not_is_named(desk: Desk) -> None:
    desk.fill(1)
    with pytest.raises(ContractError, match="no_such"):
        desk.publish(columns=(*TARGET.columns, Column("no_such", "text")))


def test_text_that_postgresql_cannot_hold_names_column_line_and_remedies(desk: Desk) -> None:
    desk.fill(1)
    desk.client.command("insert into source values (7000, 1, 'a\\0b')")
    strict = (*TARGET.columns[:2], Column("name", "text", convert="strict"))
    with pytest.raises(TypeConversionError) as error:
        desk.publish(columns=strict)
    assert "'name'" in str(error.value)
    assert error.value.line
    assert "scrub" in str(error.value)
    assert "bytea" in str(error.value)
    desk.publish()
    assert desk.rows("select name from public.board where id = 7000") == [("ab",)]
