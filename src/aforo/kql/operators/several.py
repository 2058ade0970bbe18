"""Functions that give several columns (`series_stats`) as items of extend, project and print.

The function is computed once, as a bag, in a column below; its columns are parts of it.
"""

from __future__ import annotations

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_forms import sorted_arrays
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Expression, Path, Reference, Relation
from aforo.kql.convert import cast
from aforo.kql.functions.catalog import SEVERAL
from aforo.kql.naming import Names, own_name
from aforo.kql.plan import Project
from aforo.kql.scope import Defined, Row
from aforo.kql.types import DYNAMIC


def given(
    b: Binder, item: s.Syntax, parts: list[tuple[str, Expression]], names: Names, *, rest: bool = False
) -> list[tuple[str, Expression]]:
    """The columns under the names that the author gave them, from the first one on.

    The others are left out, or with `rest` have their own names; so have all where no name is given.
    """
    told = item.names if isinstance(item, s.Named) else ()
    if len(told) > len(parts) > 0:
        b.report(say.bad_argument(f"there are {len(told)} names for {len(parts)} columns", item.span))
    out = [(name, expression) for name, (_, expression) in zip(told, parts, strict=False)]
    names.taken.update(told)
    if rest or not told:
        out += [(names.free(name), expression) for name, expression in parts[len(told) :]]
    return out


class Bags:
    """What the items of one operator need below it."""

    def __init__(self, b: Binder, row: Row) -> None:
        self.b = b
        self.row = row
        self.made: list[tuple[Column, Expression]] = []

    def parts(self, item: s.Syntax) -> list[tuple[str, Expression]] | None:
        """(its name by default, column) of what the item gives, None when it is one value as any other.

        Empty when the call is mistaken.
        """
        call = item.expression if isinstance(item, s.Named) else item
        if isinstance(call, s.Call) and call.function in ("array_sort_asc", "array_sort_desc"):
            return self._sorted(call)
        if not isinstance(call, s.Call) or (declared := SEVERAL.get(call.function)) is None:
            return None
        if isinstance(self.row.scope.find(call.function), Defined) or self.b.saved_function(call.function):
            return None
        arguments = self.b.checked_arguments(declared, call, self.row)
        if arguments is None:
            return []
        bag = self.b.column(declared.name, DYNAMIC)
        self.made.append((bag, Apply(declared.operation, arguments, DYNAMIC)))
        stem = f"{declared.name}_{own_name(call.arguments[0])}"
        return [
            (f"{stem}_{name}", cast(Path(Reference(bag), (name,)), type_)) for name, type_ in declared.columns
        ]

    def _sorted(self, call: s.Call) -> list[tuple[str, Expression]] | None:
        """Several arrays sorted by the first; one alone is a value as any other."""
        if len(call.arguments) < 2:
            return None
        before = len(self.b.mistakes)
        found = sorted_arrays(self.b, call, self.row)
        if found is None:
            return []
        arrays, names = found
        if len(names) < 2:
            del self.b.mistakes[before:]
            return None
        bag = self.b.column(call.function, DYNAMIC)
        self.made.append((bag, arrays))
        return [(name, Path(Reference(bag), (i,))) for i, name in enumerate(names)]

    def below(self, relation: Relation) -> Relation:
        """The relation with the bags beside its columns."""
        if not self.made:
            return relation
        return Project(relation, (*((c, Reference(c)) for c in relation.columns), *self.made))
