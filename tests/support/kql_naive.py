"""A small naive interpreter of KQL's core in plain Python, over lists of dicts: what answers are compared with.

It shares no code with the compiler. Nothing is parsed: a pipeline is a list of `Step`s, each with its KQL text and what
it does to the rows. Values are Python's: None is null, but a string is never null; a datetime is microseconds since
1970; dynamic values are what `json.loads` gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

Row = dict[str, Any]
Rows = list[Row]
Columns = dict[str, str]  # name -> KQL type

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
# 0001-01-01, where Kusto's datetimes begin and `bin` counts from.
FIRST_DAY = -62_135_596_800 * SECOND


@dataclass(frozen=True)
class Expr:
    """A KQL text, the type of its value and the value for a row."""

    text: str
    type: str
    value: Callable[[Row], Any]

    def __repr__(self) -> str:
        return f"<{self.text}>"


@dataclass(frozen=True)
class Step:
    """One operator: `columns` are those after it."""

    text: str
    apply: Callable[[Rows], Rows]
    columns: Columns = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<| {self.text}>"


# -- what operators between values mean ------------------------------------------------------------------


def strict(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Null where any argument is null."""
    return lambda *values: None if any(v is None for v in values) else rule(*values)


def equals(x: Any, y: Any) -> bool | None:
    """Null equals nothing, and whether it equals null is not known."""
    return None if x is None and y is None else x == y


def negated(x: bool | None) -> bool | None:
    return None if x is None else not x


def both(x: bool | None, y: bool | None) -> bool | None:
    return False if x is False or y is False else None if x is None or y is None else True


def either(x: bool | None, y: bool | None) -> bool | None:
    return True if x is True or y is True else None if x is None or y is None else False


def divided(x: int, y: int) -> int | None:
    """Whole numbers are cut towards zero."""
    return None if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def remainder(x: int, y: int) -> int | None:
    """Never negative."""
    return None if y == 0 else x % abs(y)


def divided_real(x: float, y: float) -> float:
    if y == 0:
        return math.nan if x == 0 or math.isnan(x) else math.copysign(math.inf, x)
    return x / y


def binned(x: int, size: int) -> int:
    return x - x % size


def binned_moment(x: int, size: int) -> int:
    return FIRST_DAY + binned(x - FIRST_DAY, size)


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": strict(lambda x, y: x + y),
    "-": strict(lambda x, y: x - y),
    "*": strict(lambda x, y: x * y),
    "/": strict(divided),
    "%": strict(remainder),
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": equals,
    "!=": lambda x, y: negated(equals(x, y)),
    "<": strict(lambda x, y: x < y),
    "<=": strict(lambda x, y: x <= y),
    ">": strict(lambda x, y: x > y),
    ">=": strict(lambda x, y: x >= y),
}


# -- text ------------------------------------------------------------------------------------------------


def has_term(text: str, term: str, *, before: bool = True, after: bool = True) -> bool:
    """Whether the term stands in the text with no letter or digit beside it."""
    at = text.find(term)
    while at >= 0:
        end = at + len(term)
        fits_before = not before or at == 0 or not text[at - 1].isalnum() or not term[0].isalnum()
        fits_after = not after or end == len(text) or not text[end].isalnum() or not term[-1].isalnum()
        if fits_before and fits_after:
            return True
        at = text.find(term, at + 1)
    return False


def _folded(rule: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    return lambda x, y: rule(x.lower(), y.lower())


def _refused(rule: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    return lambda x, y: not rule(x, y)


_TERMS: dict[str, Callable[[str, str], bool]] = {
    "has": has_term,
    "hasprefix": lambda x, y: has_term(x, y, after=False),
    "hassuffix": lambda x, y: has_term(x, y, before=False),
    "contains": lambda x, y: y in x,
    "startswith": lambda x, y: x.startswith(y),
    "endswith": lambda x, y: x.endswith(y),
}
TEXT_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=~": _folded(lambda x, y: x == y),
    "!~": _folded(lambda x, y: x != y),
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    **{name: _folded(rule) for name, rule in _TERMS.items()},
    **{f"{name}_cs": rule for name, rule in _TERMS.items()},
}
TEXT_OPERATORS |= {
    f"!{name}": _refused(rule) for name, rule in list(TEXT_OPERATORS.items()) if name[0].isalpha()
}


def substring(text: str, start: int, length: int | None = None) -> str:
    return text[start:] if length is None else text[start : start + length]


def shown(value: Any) -> str:
    """`tostring` of a whole number, a bool or a text."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# -- order -----------------------------------------------------------------------------------------------


def order_key(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    """Ascending, nulls first."""
    return tuple((row[n] is not None, row[n] if row[n] is not None else 0) for n in names)


def ordered(rows: Iterable[Row], names: Sequence[str], *, ascending: bool) -> Rows:
    """Descending puts nulls last."""
    return sorted(rows, key=lambda r: order_key(r, names), reverse=not ascending)


def frozen(value: Any) -> Any:
    """A value that can be put into a set; 1 and 1.0 are one, True is not 1."""
    match value:
        case list():
            return tuple(frozen(v) for v in value)
        case dict():
            return tuple(sorted((k, frozen(v)) for k, v in value.items()))
        case bool():
            return ("bool", value)
        case _:
            return value


def distinct(rows: Rows, names: Sequence[str]) -> Rows:
    found = {tuple(frozen(r[n]) for n in names): {n: r[n] for n in names} for r in reversed(rows)}
    return list(found.values())


# -- groups ----------------------------------------------------------------------------------------------


def grouped(rows: Rows, keys: Sequence[tuple[str, Expr]]) -> list[tuple[Row, Rows]]:
    """(the values of the keys, the rows of the group); null is a value like others here."""
    groups: dict[Any, tuple[Row, Rows]] = {}
    for row in rows:
        named = {name: e.value(row) for name, e in keys}
        groups.setdefault(tuple(map(frozen, named.values())), (named, []))[1].append(row)
    return list(groups.values()) if keys else [({}, rows)]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate: its text, its type, and the value over the values of a group, nulls left out (`of` says which)."""

    text: str
    type: str
    of: Expr | None
    value: Callable[[list[Any]], Any]
    condition: Expr | None = None

    def over(self, rows: Rows) -> Any:
        if self.condition is not None:
            rows = [r for r in rows if self.condition.value(r) is True]
        if self.of is None:
            return self.value(list(rows))
        return self.value([v for r in rows if (v := self.of.value(r)) is not None])


def summarized(rows: Rows, aggregates: dict[str, Aggregate], keys: Sequence[tuple[str, Expr]]) -> Rows:
    return [
        named | {n: a.over(members) for n, a in aggregates.items()} for named, members in grouped(rows, keys)
    ]


# -- several tables --------------------------------------------------------------------------------------

EMPTY = {"string": ""}


def joined(
    left: Rows, right: Rows, kind: str, on: tuple[str, str], left_columns: Columns, right_columns: Columns
) -> Rows:
    """All kinds but `innerunique`, whose choice of rows is free. Null is equal to no other value."""

    def match(x: Row, y: Row) -> bool:
        return x[on[0]] is not None and x[on[0]] == y[on[1]]

    names = merged_names(left_columns, right_columns)

    def row(x: Row | None, y: Row | None) -> Row:
        first = {c: x[c] if x is not None else EMPTY.get(t) for c, t in left_columns.items()}
        second = {names[c]: y[c] if y is not None else EMPTY.get(t) for c, t in right_columns.items()}
        return first | second

    lonely_left = [x for x in left if not any(match(x, y) for y in right)]
    lonely_right = [y for y in right if not any(match(x, y) for x in left)]
    match kind:
        case "leftsemi":
            return [x for x in left if any(match(x, y) for y in right)]
        case "rightsemi":
            return [y for y in right if any(match(x, y) for x in left)]
        case "leftanti" | "anti" | "leftantisemi":
            return lonely_left
        case "rightanti" | "rightantisemi":
            return lonely_right
    out = [row(x, y) for x in left for y in right if match(x, y)]
    if kind in ("leftouter", "fullouter"):
        out += [row(x, None) for x in lonely_left]
    if kind in ("rightouter", "fullouter"):
        out += [row(None, y) for y in lonely_right]
    return out


def merged_names(left: Columns, right: Columns) -> dict[str, str]:
    """What the right side's columns are called behind a join: a number at the end where the name is taken."""
    taken, out = set(left), {}
    for name in right:
        free, n = name, 0
        while free in taken:
            n += 1
            free = f"{name}{n}"
        taken.add(free)
        out[name] = free
    return out


def unioned(first: Rows, second: Rows, columns: Columns) -> Rows:
    """`union` of two tables whose common columns have the same types."""
    return [{c: r.get(c, EMPTY.get(t)) for c, t in columns.items()} for r in [*first, *second]]


def expanded(rows: Rows, name: str) -> Rows:
    """`mv-expand`: a row per element or property, so none for an empty array or bag; null and single values give one."""
    out = []
    for row in rows:
        value = row[name]
        elements = (
            value
            if isinstance(value, list)
            else [{k: v} for k, v in value.items()]
            if isinstance(value, dict)
            else [value]
        )
        out += [{**row, name: e} for e in elements]
    return out


def expanded_together(rows: Rows, first: str, second: str) -> Rows:
    """Two arrays side by side, the shorter one filled with null."""
    return [{**row, first: x, second: y} for row in rows for x, y in zip_longest(row[first], row[second])]
