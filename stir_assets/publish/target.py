"""What is to be published: the declaration of one serving table. Data only; knows no engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from stir_assets.publish.errors import ContractError

Mode = Literal["rename", "pointer", "diff", "upsert"]
Convert = Literal["strict", "scrub", "bytea"]

NAME_BYTES = 63  # PostgreSQL cuts longer names silently


@dataclass(frozen=True)
class Column:
    """One column of the serving table.

    `source` is a ClickHouse column or expression over the relation (default: the column of the same name).
    `enriched=True` means that no source exists: an `Enrichment` fills it. `null_as` replaces NULL on export;
    `default` is a PostgreSQL expression for the column's DEFAULT (and the start value of enriched columns).
    `convert` says what happens to text PostgreSQL cannot hold: 'strict' fails and names the row, 'scrub' drops
    NUL bytes and invalid UTF-8, 'bytea' keeps the raw bytes.
    """

    name: str
    pg_type: str
    source: str | None = None
    nullable: bool = True
    convert: Convert = "strict"
    null_as: str | int | float | bool | None = None
    default: str | None = None
    description: str | None = None
    enriched: bool = False

    @property
    def expression(self) -> str:
        """The ClickHouse expression that delivers the column, before conversion."""
        return (
            self.source
            if self.source is not None
            else "`" + self.name.replace("\\", "\\\\").replace("`", "\\`") + "`"
        )


@dataclass(frozen=True)
class Index:
    """An index of the serving table. `columns` may hold expressions or 'name desc'; quoted when plain names."""

    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None
    method: str = "btree"
    name: str | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class SqlCheck:
    """A query on the candidate (`{table}`) that must return no row; the first rows go into the refusal."""

    name: str
    sql: str


@dataclass(frozen=True)
class Guards:
    """When a publication is refused. `max_shrink` 0.3: fewer than 70 % of the live rows; `warn_growth`: a factor.

    `checksum` compares aggregates of every column, in ClickHouse over the frozen snapshot and in PostgreSQL over the
    loaded rows before any enrichment (`stir_assets.publish.checksum` says which). It costs one more read of all
    exported columns in ClickHouse and one sequential scan with an MD5 of every text in PostgreSQL. An expression that
    is not a function of the row (`rand()`, `now()`) always differs. With mode 'upsert' the rows of the delta are compared.
    """

    min_rows: int = 1
    max_shrink: float = 0.3
    warn_growth: float = 3.0
    checks: tuple[SqlCheck, ...] = ()
    checksum: bool = False


@dataclass(frozen=True)
class Enrichment:
    """A set-based statement on the loaded rows (`{table}`) before anything is visible.

    `requires` names the product tables it reads and their columns: {"public.account": ("id", "ig_id")} or, with
    types, {"public.account": {"id": "bigint"}}. A missing table, column or other type refuses the publication.
    With `drops_rows` the statement may delete; the count is reported, and above `max_dropped` (share) refused.
    """

    name: str
    sql: str
    requires: Mapping[str, tuple[str, ...] | Mapping[str, str]] = field(default_factory=dict)
    drops_rows: bool = False
    max_dropped: float = 1.0


@dataclass(frozen=True)
class Grant:
    """Privileges a role gets when the table is first published; later publications carry what the table has."""

    role: str
    privileges: tuple[str, ...] = ("SELECT",)


@dataclass(frozen=True)
class Target:
    """A serving table: where it lives, what it looks like, how it is published and when it is refused.

    `adopt` allows the first publication over a table Stir did not make. `allow_schema_change` allows a
    publication whose columns differ from the live table's (sessions with a prepared `SELECT *` then fail).
    `max_changed` is the share of changed rows above which modes 'diff' and 'upsert' replace the whole table; with 1
    they merge however much changed.
    `watermark` is the column (of the target) by which mode 'upsert' finds changed rows: those not older than the
    newest of the last publication less `overlap` (seconds for times, units for numbers). Rows for which the
    ClickHouse condition `tombstone` holds are deleted; other deletions are seen by the comparison of all rows that
    takes place every `reconcile_after` (None: never, which needs a tombstone).
    """

    schema: str
    table: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    mode: Mode = "rename"
    guards: Guards = field(default_factory=Guards)
    enrichments: tuple[Enrichment, ...] = ()
    check_constraints: Mapping[str, str] = field(default_factory=dict)
    comment: str | None = None
    owner: str | None = None
    grants: tuple[Grant, ...] = ()
    storage: Mapping[str, str] = field(default_factory=dict)
    adopt: bool = False
    allow_schema_change: bool = False
    allow_mode_change: bool = False
    watermark: str | None = None
    overlap: float = 0
    tombstone: str | None = None
    reconcile_after: timedelta | None = timedelta(days=1)
    max_changed: float = 0.2

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        _check(bool(names), self, "declares no columns")
        _check(len(names) <= 1600, self, f"declares {len(names)} columns; PostgreSQL holds 1600")
        twice = sorted({name for name in names if names.count(name) > 1})
        _check(not twice, self, f"declares columns twice: {', '.join(twice)}")
        for name in (self.schema, self.table, *names):
            _check(
                _valid_name(name),
                self,
                f"name {name!r} is empty, has a NUL or is longer than {NAME_BYTES} bytes",
            )
        for label, key in (("primary_key", self.primary_key), ("unique_key", self.unique_key)):
            missing = [name for name in key if name not in names]
            _check(not missing, self, f"{label} names unknown columns: {', '.join(missing)}")
        _check(any(not column.enriched for column in self.columns), self, "has no column from ClickHouse")
        _check(0 <= self.guards.max_shrink <= 1, self, "guards.max_shrink must be between 0 and 1")
        self._check_mode(names)
        self._check_constraint_names()

    def _check_mode(self, names: list[str]) -> None:
        if self.mode in ("diff", "upsert"):
            _check(bool(self.key), self, f"mode {self.mode!r} needs primary_key or unique_key")
            loose = [c.name for c in self.columns if c.name in self.key and c.nullable]
            _check(
                not loose or self.key == self.primary_key,
                self,
                f"mode {self.mode!r} needs a key without NULLs: declare nullable=False for {', '.join(loose)}",
            )
            enriched = [c.name for c in self.columns if c.name in self.key and c.enriched]
            _check(
                not enriched,
                self,
                f"key column {', '.join(enriched)} is enriched; a key must come from ClickHouse",
            )
            _check(0 <= self.max_changed <= 1, self, "max_changed must be between 0 and 1")
        if self.mode == "upsert":
            source = [c.name for c in self.exported]
            _check(
                self.watermark in source,
                self,
                "mode 'upsert' needs watermark=<column that comes from ClickHouse>",
            )
            _check(
                self.tombstone is not None or self.reconcile_after is not None,
                self,
                "mode 'upsert' sees deletions by a tombstone or by reconcile_after; declare one",
            )
            _check(not self.enrichments, self, "mode 'upsert' does not support enrichments; use 'diff'")
        if self.tombstone is not None:
            _check(self.mode == "upsert", self, "tombstone only has a meaning with mode 'upsert'")

    def _check_constraint_names(self) -> None:
        for name in self.check_constraints:
            _check(_valid_name(name), self, f"check name {name!r} is not usable")

    @property
    def name(self) -> str:
        """`schema.table`, the identity of the target in the manifest and in messages."""
        return f"{self.schema}.{self.table}"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row: the primary key, else the unique key."""
        return self.primary_key or self.unique_key

    @property
    def exported(self) -> tuple[Column, ...]:
        """The columns that come from ClickHouse, in table order."""
        return tuple(column for column in self.columns if not column.enriched)


@dataclass(frozen=True)
class TableSource:
    """A ClickHouse table as the relation to publish. A MergeTree table is exported from a zero-copy clone.

    `where` is a ClickHouse condition on the table's own columns.
    """

    table: str
    database: str | None = None
    where: str | None = None


_SELECT_STAR = re.compile(
    r"""\s*select\s+\*\s+from\s+
        (?:(?P<database>`[^`]+`|"[^"]+"|[A-Za-z_]\w*)\s*\.\s*)?(?P<table>`[^`]+`|"[^"]+"|[A-Za-z_]\w*)
        (?:\s+where\s+(?P<where>.+?))?\s*;?\s*""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Any of these in the condition may belong to a clause after it, so the statement is then taken as it stands.
_NOT_PLAIN = re.compile(
    r"\b(select|group|order|limit|union|intersect|except|settings|format|qualify|window|having|offset|fetch)\b|--|/\*",
    re.IGNORECASE,
)


def as_source(select: str | TableSource) -> str | TableSource:
    """Recognize `SELECT * FROM [db.]table [WHERE ...]`, the form that can be cloned; leave anything else alone."""
    if isinstance(select, TableSource):
        return select
    match = _SELECT_STAR.fullmatch(select)
    if not match or _NOT_PLAIN.search(match["where"] or ""):
        return select
    database = match["database"].strip('`"') if match["database"] else None
    return TableSource(match["table"].strip('`"'), database, match["where"])


def _valid_name(name: str) -> bool:
    return bool(name) and "\0" not in name and len(name.encode()) <= NAME_BYTES


def _check(condition: bool, target: Target, message: str) -> None:
    if not condition:
        raise ContractError(f"{target.schema}.{target.table}: the declaration {message}")
