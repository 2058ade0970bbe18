"""What a name can mean at a place: columns of the row at hand, and what `let` and parameters have named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from aforo.kql import syntax as s
from aforo.kql.bound import Aggregation, Column, Expression, Relation, Windowed
from aforo.kql.wildcards import fits


@dataclass(frozen=True, slots=True)
class Deferred:
    """`let x = ...`: bound anew where it is used, in the scope where it was written."""

    syntax: s.Syntax
    scope: Scope


@dataclass(frozen=True, slots=True)
class Defined:
    """`let f = (...) {...}` with the scope where it was written; `saved` is the name of a saved function."""

    function: s.Function
    scope: Scope
    saved: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """`declare pattern p = ...` with the scope where it was written."""

    pattern: s.Pattern
    scope: Scope


@dataclass(frozen=True, slots=True)
class Restriction:
    """`restrict access to (...)`: (place, name with wildcards); no other stored table or function may be read."""

    names: tuple[tuple[str, str], ...]

    def allows(self, place: str, name: str) -> bool:
        return any(place == where and fits(name, pattern) for where, pattern in self.names)


# Where a scope holds its restriction: no name can be written so.
RESTRICTED = "restrict access"
Meaning = Deferred | Defined | Choice | Restriction | Expression | Relation


@dataclass(frozen=True, slots=True)
class Scope:
    """Named values, innermost first."""

    names: dict[str, Meaning] = field(default_factory=dict)
    parent: Scope | None = None

    def find(self, name: str) -> Meaning | None:
        scope: Scope | None = self
        while scope is not None:
            if (meaning := scope.names.get(name)) is not None:
                return meaning
            scope = scope.parent
        return None

    def inner(self, names: dict[str, Meaning] | None = None) -> Scope:
        return Scope(names if names is not None else {}, self)

    def all_names(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


@dataclass(slots=True)
class Row:
    """What an expression may read. `aggregates` and `windows` collect such calls where they may stand.

    `sides` are the columns behind `$left` and `$right` in the condition of a join.
    """

    columns: tuple[Column, ...] = ()
    scope: Scope = field(default_factory=Scope)
    aggregates: list[tuple[Column, Aggregation]] | None = None
    windows: list[tuple[Column, Windowed]] | None = None
    ordered: bool = False
    sides: tuple[tuple[Column, ...], tuple[Column, ...]] | None = None

    def find(self, name: str) -> Column | None:
        for column in self.columns:
            if column.name == name:
                return column
        return None
