"""The names that Kusto gives to columns that the author did not name."""

from __future__ import annotations

import re

from aforo.kql import syntax as s
from aforo.kql.functions.catalog import AGGREGATES, SCALARS
from aforo.kql.functions.spec import Naming
from aforo.source import Span

# Functions that are not in the catalog (the binder's own forms) but lend the name of their first argument.
_NOWHERE = Span(0, 0)
_TRANSPARENT = frozenset({"bin_auto", "materialize", "rand", "toscalar"})
# The same where they have one argument.
_OF_ONE = frozenset({"make_datetime", "make_timespan"})


def own_name(tree: s.Syntax) -> str:
    """The name that an expression has by itself (`x`, `d.a` is d_a, `tostring(x)` is x), empty when it has none."""
    match tree:
        case s.Name(text=text):
            return text
        case s.Member(target=target, name=name):
            base = own_name(target)
            return f"{base}_{name}" if base and not base.startswith("$") else name
        case s.Index(target=target, index=index):
            base, step = own_name(target), _step(index.value) if isinstance(index, s.Literal) else ""
            return f"{base}_{step}" if base else step
        case s.Call(function=function, arguments=arguments):
            return _of_call(function, arguments)
        case _:
            return ""


def _of_call(function: str, arguments: tuple[s.Syntax, ...]) -> str:
    first = own_name(arguments[0]) if arguments else ""
    if function == "ingestion_time":
        return "$IngestionTime"
    if function in _TRANSPARENT or (function in _OF_ONE and len(arguments) == 1):
        return first
    if function in ("array_sort_asc", "array_sort_desc"):
        return first and f"{first}_sorted"
    if function in AGGREGATES and function not in SCALARS:
        return aggregate_name(s.Call(function, arguments, _NOWHERE, _NOWHERE))
    declared = SCALARS.get(function)
    if declared is not None:
        match declared.naming:
            case Naming.FIRST_ARGUMENT:
                return first
            case Naming.PREFIX_FIRST:
                return f"{declared.prefix}_{first}"
            case Naming.PREFIX:
                return declared.prefix
            case _:
                return ""
    return ""


def aggregate_name(call: s.Call) -> str:
    """`sum(x)` is sum_x, `count()` is count_, `percentile(x, 95)` is percentile_x_95."""
    declared = AGGREGATES[call.function]
    first = own_name(call.arguments[0]) if call.arguments else ""
    match declared.naming:
        case Naming.PREFIX:
            return declared.prefix
        case Naming.FIRST_ARGUMENT:
            return first
        case _:
            name = f"{declared.prefix}_{first}"
    if declared.operation in ("percentile", "percentile_weighted"):
        name += "_" + percentile_part(call.arguments[-1])
    return name


def percentile_part(tree: s.Syntax) -> str:
    """`99.9` is 99_9."""
    return _plain(tree.value) if isinstance(tree, s.Literal) else ""


def _step(value: object) -> str:
    """An index in a path: a name as it stands, a place; nothing for one from the end."""
    if isinstance(value, str):
        return value
    return "" if isinstance(value, int) and value < 0 else _plain(value)


def _plain(value: object) -> str:
    return re.sub(r"\W", "_", str(value))


class Names:
    """Hands out names that are free in one result: `x`, then `x1`, `x2`; unnamed ones are Column1, Column2."""

    def __init__(self, taken: tuple[str, ...] = (), stem: str = "Column", first: int = 1) -> None:
        self.taken = set(taken)
        self.stem = stem
        self.number = first

    def free(self, wanted: str) -> str:
        """The wanted name, with a number when it is taken; a stem with a number when it is empty."""
        if not wanted:
            while f"{self.stem}{self.number}" in self.taken:
                self.number += 1
            wanted = f"{self.stem}{self.number}"
            self.number += 1
        name, n = wanted, 0
        while name in self.taken:
            n += 1
            name = f"{wanted}{n}"
        self.taken.add(name)
        return name
