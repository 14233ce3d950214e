"""What a serving table is: one typed declaration, from which asset, publication and checks are made.

To publish a mart: add a module to `tables/` with a `ServingTable` named `table`. Nothing else changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stir_assets.core.freshness import FreshnessTerms
from stir_assets.publish.target import (
    Column,
    Enrichment,
    Grant,
    Guards,
    Index,
    Mode,
    SqlCheck,
    TableSource,
    Target,
)

ServingEnvironment = Literal["prod", "staging"]

SCHEMAS: Mapping[ServingEnvironment, str] = {"prod": "public", "staging": "staging"}
"""PostgreSQL schema of each environment's tables; product-owned tables stand beside them."""


@dataclass(frozen=True)
class ProductTable:
    """A table of the web application that an enrichment reads, with the columns and types it relies on."""

    name: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class EnrichmentStep:
    """A set-based statement on the new rows before they are visible.

    `{table}` is the new table, `{product}` the schema of the product-owned tables it reads (`reads`).
    """

    name: str
    sql: str
    reads: tuple[ProductTable, ...]
    drops_rows: bool = False
    max_dropped: float = 1.0


@dataclass(frozen=True)
class ServingTable:
    """One table of the web application, published from a mart in each environment that has it.

    `marts` says from which model each environment is published; `where` is a ClickHouse condition on the mart's
    columns; `select`, when the table is not one row a mart row, a SELECT with `{mart}` in it. `natural_key`
    identifies a row; a column from `stable_id` of it stays the same from one publication to the next. `mode` is how
    it is published (stir_assets/publish/README.md says when to take which). `allow_mode_change` and
    `allow_schema_change` are set for the one deployment that changes the mode or the columns of a table in use.
    """

    name: str
    description: str
    marts: Mapping[ServingEnvironment, str]
    columns: tuple[Column, ...]
    natural_key: tuple[str, ...]
    freshness: FreshnessTerms
    why: str
    """The reason for the promise, in a reader's words."""
    select: str | None = None
    where: str | None = None
    primary_key: tuple[str, ...] = ("id",)
    indexes: tuple[Index, ...] = ()
    mode: Mode = "rename"
    allow_mode_change: bool = False
    allow_schema_change: bool = False
    guards: Guards = field(default_factory=Guards)
    enrichments: tuple[EnrichmentStep, ...] = ()
    grants: tuple[Grant, ...] = ()
    owner: str = "data-platform"

    def target(self, environment: ServingEnvironment) -> Target:
        """The publication engine's declaration of this table in `environment`."""
        return Target(
            schema=SCHEMAS[environment],
            table=self.name,
            columns=self.columns,
            primary_key=self.primary_key,
            unique_key=self.natural_key,
            indexes=self.indexes,
            mode=self.mode,
            allow_mode_change=self.allow_mode_change,
            allow_schema_change=self.allow_schema_change,
            guards=self.guards,
            enrichments=tuple(_enrichment(step, SCHEMAS[environment]) for step in self.enrichments),
            grants=self.grants,
            comment=self.description,
        )

    def source(self, environment: ServingEnvironment, database: str) -> str | TableSource:
        """What is published: the mart's rows, or the declared SELECT on it."""
        mart = self.marts[environment]
        if self.select is not None:
            return self.select.replace("{mart}", f"{database}.{mart}")
        return TableSource(mart, database, self.where)


def stable_id(*columns: str) -> Column:
    """A bigint `id` made of the natural key: equal key, equal id, in every publication.

    63 bits of SipHash-2-4 over the key's text: two of a million rows collide with a chance of 1 in 18 million,
    and the primary key refuses a publication in which they do.
    """
    parts = ", ".join(f"ifNull(toString({column}), '')" for column in columns)
    return Column(
        "id",
        "bigint",
        source=f"toInt64(bitAnd(sipHash64({parts}), 0x7FFFFFFFFFFFFFFF))",
        nullable=False,
        description=f"Stable identity of the row, made of {', '.join(columns)}.",
    )


def text(name: str, description: str, source: str | None = None, null_as: str | None = None) -> Column:
    """A text column; scrubbed, because captions and titles come from the open internet."""
    return Column(
        name,
        "text",
        source,
        nullable=null_as is None,
        convert="scrub",
        null_as=null_as,
        description=description,
    )


def bigint(name: str, description: str, source: str | None = None, null_as: int | None = None) -> Column:
    """A whole number; estimates are rounded, never cut."""
    expression = f"toInt64(round({source or name}))"
    return Column(
        name, "bigint", expression, nullable=null_as is None, null_as=null_as, description=description
    )


def double(name: str, description: str, source: str | None = None, null_as: float | None = None) -> Column:
    """A rate or an average."""
    return Column(
        name, "double precision", source, nullable=null_as is None, null_as=null_as, description=description
    )


def timestamp(name: str, description: str, source: str | None = None, null_as: str | None = None) -> Column:
    """An instant in UTC, as `timestamp`, the type the application reads."""
    return Column(
        name, "timestamp", source, nullable=null_as is None, null_as=null_as, description=description
    )


def enriched(name: str, pg_type: str, description: str, default: str | None = None) -> Column:
    """A column that an enrichment fills from a product-owned table."""
    return Column(name, pg_type, enriched=True, default=default, description=description)


def _enrichment(step: EnrichmentStep, schema: str) -> Enrichment:
    return Enrichment(
        name=step.name,
        sql=step.sql.replace("{product}", schema),
        requires={f"{schema}.{product.name}": dict(product.columns) for product in step.reads},
        drops_rows=step.drops_rows,
        max_dropped=step.max_dropped,
    )


__all__ = [
    "Column", "EnrichmentStep", "Grant", "Guards", "Index", "ProductTable", "ServingEnvironment", "ServingTable",
    "SqlCheck", "bigint", "double", "enriched", "stable_id", "text", "timestamp",
]  # fmt: skip
