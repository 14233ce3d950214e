"""The statements of a cut-over from whatever is live to whatever is declared, in the order their locks must be taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from stir_assets.publish import carry, ddl, live, swap
from stir_assets.publish.live import Live
from stir_assets.publish.modes import rename
from stir_assets.publish.modes.pointer import Columns, Pointer
from stir_assets.publish.postgres import qualified
from stir_assets.publish.target import Target


@dataclass(frozen=True)
class Change:
    """A version goes live. `names` and `statistics` say what its indexes and statistics are called in private and
    in public; `old_version` is the name under which the live rows stay for a way back."""

    target: Target
    private: str
    version: str
    columns: Columns
    names: Mapping[str, str]
    statistics: Sequence[tuple[str, str, str]]
    live: Live | None
    old_version: str | None

    @property
    def pointer(self) -> Pointer:
        return Pointer(self.target, self.private, self.columns)

    def statements(self) -> list[sql.Composed]:
        """All of it, without fence and bookkeeping."""
        was = self.live
        if was is None:
            return list(self._put())
        if keeps_view(self.target, was, self.columns):
            return [*_checks(was), *self.pointer.point(self.version), *self.pointer.comments(was.view)]
        place = qualified(self.target.schema, self.target.table)
        # Views outermost first and before the table: a reader of a view locks in that order, and the other one
        # deadlocks with it.
        views = carry.views_outermost_first(was.captured)
        return [
            *(sql.SQL("lock table {} in access exclusive mode").format(qualified(*view)) for view in views),
            sql.SQL("lock table {} in access exclusive mode").format(place),
            *_checks(was),
            *self._take_away(was),
            *self._put(),
            *carry.move_publications(was.captured, qualified(self.private, self.old_version or ""), place),
            *carry.rebind(was.captured),
            *self._drop_view(was),
        ]

    def _take_away(self, was: Live) -> Iterator[sql.Composed]:
        if was.is_pointer:
            yield rename.renamed("view", self.target.schema, self.target.table, self._set_aside)
        else:
            assert self.old_version is not None  # noqa: S101 - what is live has a name to leave under
            yield from rename.move_out(
                self.target.schema, self.target.table, self.private, was.captured, self.old_version
            )

    def _put(self) -> Iterator[sql.Composed]:
        if self.target.mode == "pointer":
            yield from self.pointer.make(self.version, self.live)
        else:
            yield from rename.bring_in(
                self.target.schema, self.target.table, self.private, self.version, self.names, self.statistics
            )

    def _drop_view(self, was: Live) -> Iterator[sql.Composed]:
        """The old view, once nothing depends on it any more; its version stays for a way back."""
        if was.is_pointer:
            yield sql.SQL("drop view {}").format(qualified(self.target.schema, self._set_aside))
            yield from Pointer(self.target, self.private, was.view_columns).drop_function()

    @property
    def _set_aside(self) -> str:
        return ddl.versioned(self.target.table, self.version)


def keeps_view(target: Target, was: Live, columns: Columns) -> bool:
    """Whether the swap is only a new body for the pointer's function."""
    return target.mode == "pointer" and was.is_pointer and list(was.view_columns) == list(columns)


def _checks(was: Live) -> Iterator[sql.Composed]:
    for query, mark in live.unchanged(was):
        yield swap.unchanged(query, mark)
