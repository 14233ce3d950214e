"""Which columns a file has decides how it is read: the layouts of every kind, and choosing one by the header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stir_assets.errors import PermanentError
from stir_assets.importers.cleaning import Notes
from stir_assets.importers.observations import Observation, Post, Profile, Title

Fields = list[str]
RowMapper = Callable[[Fields], Observation]


class UnknownLayoutError(PermanentError):
    """The columns of a file are none that its kind understands."""


@dataclass(frozen=True)
class Reading:
    """What a mapper needs besides the row: the options of the import and where to count repairs."""

    country: str = ""
    observed_at: int | None = None
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True)
class Layout:
    """One layout of one kind.

    `required` and `optional` are column names as `normalise` gives them. With `by_position` the header must be
    exactly `required` (files that repeat a column name); otherwise columns may come in any order.
    `build` gets the position of each column and returns the function that turns a row into an observation.
    `observed` is when the file was written if neither it nor the user says so (seconds since 1970).
    """

    name: str
    produces: type[Post] | type[Profile] | type[Title]
    required: tuple[str, ...]
    build: Callable[[dict[str, int], Reading], RowMapper]
    optional: tuple[str, ...] = ()
    by_position: bool = False
    observed: int | None = None
    platform: str = "YOUTUBE"
    looks_like_data: Callable[[Fields], bool] | None = None
    """For files without a header line: does this first row look like data of this layout?"""
    headerless_columns: tuple[str, ...] = ()
    """The columns, in order, of a file without a header line."""

    def matches(self, header: Sequence[str]) -> bool:
        if self.by_position:
            return tuple(header) == self.required
        return len(set(header)) == len(header) and set(self.required) <= set(header)

    def positions(self, header: Sequence[str]) -> dict[str, int]:
        return {name: index for index, name in enumerate(header)}

    def likeness(self, header: Sequence[str]) -> float:
        """How near a header is, 0 to 1: the share of required columns it has, times the columns in common."""
        required, theirs = set(self.required), set(header)
        every = {*required, *self.optional}
        return (
            len(required & theirs) / len(required) * (0.5 + 0.5 * len(every & theirs) / len(every | theirs))
        )


@dataclass(frozen=True)
class Kind:
    """One KIND of `stir import`: what it is, and its layouts."""

    name: str
    help: str
    layouts: tuple[Layout, ...]


@dataclass(frozen=True)
class Choice:
    """The layout of a file, its columns, and whether its first row is data already."""

    layout: Layout
    header: tuple[str, ...]
    headerless: bool = False
    ignored: tuple[str, ...] = ()


def normalise(name: str) -> str:
    """A column name for comparing: lower case, white space (also line breaks) as single blanks."""
    return " ".join(name.split()).lower()


def choose(kind: Kind, first_row: Sequence[str], kinds: Sequence[Kind]) -> Choice:
    """The layout of `kind` that reads a file with this first row.

    Raises `UnknownLayoutError` with the columns found, those of the nearest layout, and the nearest kind.
    """
    header = tuple(normalise(name) for name in first_row)
    found = [layout for layout in kind.layouts if layout.matches(header)]
    if found:
        layout = max(found, key=lambda one: (len(one.required), one.likeness(header)))
        known = {*layout.required, *layout.optional}
        return Choice(layout, header, ignored=tuple(name for name in header if name and name not in known))
    for layout in kind.layouts:
        if layout.looks_like_data and layout.looks_like_data(list(first_row)):
            return Choice(layout, layout.headerless_columns, headerless=True)
    raise UnknownLayoutError(_explain(kind, header, kinds))


def _explain(kind: Kind, header: tuple[str, ...], kinds: Sequence[Kind]) -> str:
    nearest = max(kind.layouts, key=lambda layout: layout.likeness(header))
    missing = [name for name in nearest.required if name not in header]
    surplus = [name for name in header if name not in nearest.required and name not in nearest.optional]
    shown = ", ".join(name[:40] for name in header[:30]) or "(nothing)"
    lines = [
        f"the columns are none that `{kind.name}` reads",
        f"  found:    {shown}",
        f"  expected: {', '.join(nearest.required)}   (layout {nearest.name}, the nearest of {len(kind.layouts)})",
    ]
    if missing:
        lines.append(f"  missing:  {', '.join(missing)}")
    if surplus and nearest.by_position:
        lines.append(f"  unknown:  {', '.join(name[:40] for name in surplus[:30])}")
    other = _nearest_kind(header, kinds)
    if other is not None and other.name != kind.name:
        lines.append(f"  these look like columns of another kind: try `stir import {other.name}`")
    return "\n".join(lines)


def _nearest_kind(header: tuple[str, ...], kinds: Sequence[Kind]) -> Kind | None:
    best = max(kinds, key=lambda kind: max(layout.likeness(header) for layout in kind.layouts))
    score = max(layout.likeness(header) for layout in best.layouts)
    return best if score > 0.3 else None
