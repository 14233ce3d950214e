"""The tests' short way of putting a unit test's inputs into its statement is dbt's."""

from __future__ import annotations

import pytest
from dbt.compilation import inject_ctes_into_sql
from dbt.contracts.graph.nodes import InjectedCTE

from stir_assets_tests.fixtures.warehouse import with_inputs


@pytest.mark.parametrize(
    "statement",
    [
        "with q as (select 1) select * from q",
        "\n-- with a note\n/* and with another */ WITH\n\n q_1 as (select 1)\nselect 1",
        "with\n  -- a note\n  q as (select 1) select 1",
        "with recursive q as (select 1) select 2",
        "select 1",
        "  (with q as (select 1) select * from q)",
    ],
)
def test_inputs_come_where_dbt_puts_them(statement: str) -> None:
    inputs = [InjectedCTE("a", "x as (select 1)"), InjectedCTE("b", "y as (select 2)")]
    assert with_inputs(statement, inputs) == inject_ctes_into_sql(statement, inputs)
