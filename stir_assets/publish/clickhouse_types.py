"""A parser for ClickHouse type names: `Map(String, Nullable(UInt64))` becomes a small tree."""

from __future__ import annotations

from dataclasses import dataclass

from stir_assets.publish.errors import ContractError


@dataclass(frozen=True)
class ChType:
    """A ClickHouse type: its name, its type arguments, the names of tuple fields, and other arguments as text."""

    name: str
    text: str
    args: tuple[ChType, ...] = ()
    fields: tuple[str | None, ...] = ()
    literals: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    @property
    def bare(self) -> ChType:
        """The type without Nullable, LowCardinality and SimpleAggregateFunction around it."""
        if self.name in ("Nullable", "LowCardinality"):
            return self.args[0].bare
        if self.name == "SimpleAggregateFunction":
            return self.args[-1].bare
        return self

    @property
    def nullable(self) -> bool:
        """Whether a value may be NULL."""
        if self.name == "Nullable" or self.name in ("Nothing", "Variant", "Dynamic"):
            return True
        if self.name in ("LowCardinality", "SimpleAggregateFunction"):
            return self.args[-1].nullable
        return False

    def holds(self, names: frozenset[str]) -> bool:
        """Whether this type or one inside it has one of the names."""
        return self.name in names or any(arg.holds(names) for arg in self.args)


# The arguments of these are types; of the others they are numbers, strings or functions.
_CONTAINERS = frozenset({"Nullable", "LowCardinality", "Array", "Map", "Variant"})
_FIELDS = frozenset({"Tuple", "Nested"})


def parse_type(text: str) -> ChType:
    """Parse a type name as ClickHouse prints it. Raises ContractError on unbalanced text."""
    text = text.strip()
    if "(" not in text:
        return ChType(text, text)
    if not text.endswith(")"):
        raise ContractError(f"not a ClickHouse type: {text!r}")
    name, inner = text[: text.index("(")], text[text.index("(") + 1 : -1]
    parts = _split(inner)
    if name in _CONTAINERS:
        return ChType(name, text, tuple(parse_type(part) for part in parts))
    if name in _FIELDS:
        pairs = [_field(part) for part in parts]
        return ChType(
            name, text, tuple(parse_type(kind) for _, kind in pairs), tuple(field for field, _ in pairs)
        )
    if name == "SimpleAggregateFunction":
        return ChType(name, text, (parse_type(parts[-1]),), (), tuple(parts[:-1]))
    return ChType(name, text, (), (), tuple(parts))


def _split(text: str) -> list[str]:
    """Cut at commas that are outside parentheses and quotes."""
    parts, depth, start, quote, i = [], 0, 0, "", 0
    while i < len(text):
        char = text[i]
        if quote:
            if char == "\\":
                i += 1
            elif char == quote:
                quote = ""
        elif char in "'`\"":
            quote = char
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1
    if depth or quote:
        raise ContractError(f"not a ClickHouse type: {text!r}")
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _field(text: str) -> tuple[str | None, str]:
    """Split `name Type` or `` `odd name` Type ``; a bare type has no name."""
    if text.startswith("`"):
        end, name = 1, ""
        while text[end] != "`":
            if text[end] == "\\":
                end += 1
            name += text[end]
            end += 1
        return name, text[end + 1 :].strip()
    head, space, rest = text.partition(" ")
    if space and "(" not in head and rest:
        return head, rest.strip()
    return None, text
