"""Which columns of its upstreams a model's columns are made of, read off the compiled SQL.

dagster-dbt's own column lineage comes with its command line runner and takes sqlglot minutes for a graph of this
size, because it walks the query anew for each column. Here every column of every subquery is resolved once: some
20 ms a model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import cast

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

Tables = Mapping[str, Mapping[str, list[str]]]
"""database -> table -> names of its columns."""
Lineage = dict[str, list[tuple[str, str, str]]]
"""column -> (database, table, column) of each column it is made of, sorted."""

_DIALECT = "clickhouse"


def column_lineage(sql: str, tables: Tables) -> Lineage:
    """Lineage of the columns that `sql` selects; empty when sqlglot cannot read the SQL.

    `tables` are the relations the query reads. Conditions, join keys and orders are not lineage, only what a
    column's value is computed from.
    """
    schema = {
        database: {table: dict.fromkeys(columns, "String") for table, columns in members.items()}
        for database, members in tables.items()
    }
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        query = qualify(
            # sqlglot knows the one parametric function, not the other; their inputs are the same.
            parse_one(sql.replace("quantilesExactInclusive", "quantilesExact"), dialect=_DIALECT),
            schema=schema,  # pyright: ignore[reportArgumentType]
            dialect=_DIALECT,
            validate_qualify_columns=False,
            allow_partial_qualification=True,
            quote_identifiers=False,
        )
        scope = build_scope(query)
    except (SqlglotError, RecursionError):
        return {}
    if scope is None:
        return {}
    resolver = _Resolver()
    return {name: sorted(resolver.column(scope, name)) for name in _query(scope).named_selects}


class _Resolver:
    """Resolves a column of a scope to columns of tables, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], frozenset[tuple[str, str, str]]] = {}

    def column(self, scope: Scope, name: str) -> frozenset[tuple[str, str, str]]:
        key = (id(scope), name)
        if key not in self._known:
            # A recursive query meets itself.
            self._known[key] = frozenset()
            self._known[key] = self._sources_of(scope, name)
        return self._known[key]

    def _sources_of(self, scope: Scope, name: str) -> frozenset[tuple[str, str, str]]:
        if scope.set_operation_scopes:
            place = _query(scope).named_selects.index(name)
            return frozenset().union(
                *(
                    self.column(member, _query(member).named_selects[place])
                    for member in scope.set_operation_scopes
                    if place < len(_query(member).named_selects)
                )
            )
        selected = next((item for item in _query(scope).selects if item.alias_or_name == name), None)
        return self._inputs(scope, selected) if selected is not None else frozenset()

    def _inputs(self, scope: Scope, expression: exp.Expr) -> frozenset[tuple[str, str, str]]:
        found: set[tuple[str, str, str]] = set()
        for column in expression.find_all(exp.Column):
            source = scope.sources.get(column.table)
            if isinstance(source, exp.Table):
                found.add((source.db, source.name, column.name))
            elif isinstance(source, Scope):
                found |= self.column(source, column.name)
        return frozenset(found)


def _query(scope: Scope) -> exp.Query:
    """The query of a scope; sqlglot types it as any expression."""
    return cast(exp.Query, scope.expression)
