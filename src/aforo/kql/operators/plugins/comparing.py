"""Plugins that compare two sets of rows: diffpatterns, diffpatterns_text."""

from __future__ import annotations

from collections.abc import Sequence

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN
from aforo.kql.binder import Binder
from aforo.kql.bound import Apply, Column, Constant, Expression, Reference, Relation
from aforo.kql.convert import cast
from aforo.kql.naming import Names
from aforo.kql.natives.difference_patterns import MOST_ROWS
from aforo.kql.operators.plugins.library import column_of, constant_of, written
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Project, Unnest
from aforo.kql.scope import Row, Scope
from aforo.kql.types import BOOL, DYNAMIC, INT, LONG, REAL, STRING, KqlType

_TOLD = (("SegmentId", LONG), ("CountA", LONG), ("CountB", LONG), ("PercentA", REAL), ("PercentB", REAL),
         ("PercentDiffAB", REAL))  # fmt: skip
_TOLD_OF_TEXT = (("Count_of_True", LONG), ("Count_of_False", LONG), ("Percent_of_True", REAL),
                 ("Percent_of_False", REAL), ("Pattern", STRING))  # fmt: skip
_DEFAULT = "~"
# Words that a pattern of a text has at most.
_WORDS = 20
_THRESHOLD, _LEAST = 0.05, 0.015


def diffpatterns(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """diffpatterns(column, a, b [, weight, threshold, most dimensions, wildcard...]), `~` where the default holds."""
    if _declares(b, call):
        return relation
    trees = call.arguments
    split = column_of(b, relation, trees[0])
    sides = [constant_of(b, tree, scope, STRING) for tree in trees[1:3]]
    if split is None or sides[0] is None or sides[1] is None:
        return relation
    rest: list[s.Syntax | None] = [None if _is_default(tree) else tree for tree in trees[3:]]
    rest += [None] * (3 - len(rest))
    told = len(b.mistakes)
    weight = None if rest[0] is None else _weight(b, relation, rest[0])
    threshold = Constant(_THRESHOLD, REAL) if rest[1] is None else _threshold(b, rest[1], scope)
    most = Constant(None, LONG) if rest[2] is None else _most(b, rest[2], scope)
    wild = _wildcards(b, rest[3:], scope)
    dims = [c for c in relation.columns if c not in (split, weight)]
    if threshold is None or most is None or len(b.mistakes) > told:
        return relation
    values = Apply("pack_array", tuple(Reference(c) for c in dims), DYNAMIC)
    rows = Project(
        relation,
        (
            (b.column("_s", STRING), cast(Reference(split), STRING)),
            (
                b.column("_w", weight.type if weight else LONG),
                Reference(weight) if weight else Constant(1, LONG),
            ),
            (b.column("_v", DYNAMIC), values),
        ),
    )
    text = f"""T | where _s == _a or _s == _b | summarize _n = sum(_w) by _s, _r = tostring(_v) | take {MOST_ROWS + 1}
    | summarize _all = make_list(tostring(pack_array(_s, _n, _r)))"""
    collected = written(b, call, text, {"T": rows, "_a": sides[0], "_b": sides[1]})
    if collected is None:
        return relation
    free = Apply("pack_array", tuple(wild.get(c.type, _free(c.type)) for c in dims), DYNAMIC)
    found = Apply(
        "diffpatterns",
        (Reference(collected.columns[0]), sides[0], sides[1], threshold, most, free),
        DYNAMIC,
    )
    return _columns(b, collected, found, [*_TOLD, *((c.name, c.type) for c in dims)])


def diffpatterns_text(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """diffpatterns_text(text, condition [, least words, threshold, most words])"""
    if _declares(b, call):
        return relation
    trees = call.arguments
    column = column_of(b, relation, trees[0])
    condition = b.scalar(trees[1], Row(relation.columns, scope))
    if column is None or condition is BROKEN:
        return relation
    for found, tree, type_ in (column, trees[0], STRING), (condition, trees[1], BOOL):
        if found.type is not type_:
            b.report(
                say.wrong_type("what diffpatterns_text reads here", type_.value, found.type.value, tree.span)
            )
            return relation
    rest: list[s.Syntax | None] = [None if _is_default(tree) else tree for tree in trees[2:]]
    rest += [None] * (3 - len(rest))
    told = len(b.mistakes)
    least = Constant(1, LONG) if rest[0] is None else _words(b, rest[0], scope, 0, 200)
    threshold = Constant(_THRESHOLD, REAL) if rest[1] is None else _threshold(b, rest[1], scope)
    most = Constant(_WORDS, LONG) if rest[2] is None else _words(b, rest[2], scope, 1, _WORDS)
    if least is None or threshold is None or most is None or len(b.mistakes) > told:
        return relation
    rows = Project(relation, ((b.column("_s", BOOL), condition), (b.column("_t", STRING), Reference(column))))
    first = rf"^\s*(\S+\s+){{0,{most.value}}}\S*"
    text = f"""T | where isnotnull(_s) | summarize _n = count() by _s, _r = extract(@"{first}", 0, _t) | take {MOST_ROWS + 1}
    | summarize _all = make_list(tostring(pack_array(_s, _n, _r)))"""
    collected = written(b, call, text, {"T": rows})
    if collected is None:
        return relation
    patterns = Apply("diffpatterns_text", (Reference(collected.columns[0]), threshold, least, most), DYNAMIC)
    return _columns(b, collected, patterns, _TOLD_OF_TEXT)


def _words(b: Binder, tree: s.Syntax, scope: Scope, low: int, high: int) -> Constant | None:
    found = constant_of(b, tree, scope, LONG)
    if found is not None and not (isinstance(found.value, int) and low <= found.value <= high):
        b.report(say.bad_argument(f"a number of words is from {low} to {high} here", tree.span))
    return found


def _columns(
    b: Binder, collected: Relation, found: Expression, shown: Sequence[tuple[str, KqlType]]
) -> Relation:
    """A row for each pattern, made of an array."""
    element = b.column("pattern", DYNAMIC)
    patterns = Unnest(collected, ((element, found),), None, False, None)
    names = Names(())
    return Project(
        patterns,
        tuple(
            (
                b.column(names.free(name), type_),
                cast(Apply("element_at", (Reference(element), Constant(i, LONG)), DYNAMIC), type_),
            )
            for i, (name, type_) in enumerate(shown)
        ),
    )


def _declares(b: Binder, call: PluginCall) -> bool:
    """Whether (reported) a schema is declared."""
    if call.schema is None:
        return False
    b.report(say.bad_argument(f"{call.name} takes no declared columns", call.span))
    return True


def _is_default(tree: s.Syntax) -> bool:
    return isinstance(tree, s.Literal) and tree.value == _DEFAULT


def _free(type_: KqlType) -> Constant:
    return Constant("" if type_ is STRING else None, type_)


def _weight(b: Binder, relation: Relation, tree: s.Syntax) -> Column | None:
    column = column_of(b, relation, tree)
    if column is not None and column.type not in (INT, LONG, REAL):
        b.report(say.wrong_type("a weight", "int, long or real", column.type.value, tree.span))
    return column


def _threshold(b: Binder, tree: s.Syntax, scope: Scope) -> Constant | None:
    found = constant_of(b, tree, scope, REAL)
    if found is not None and not (isinstance(found.value, int | float) and _LEAST <= found.value <= 1):
        b.report(say.bad_argument(f"a threshold is a number from {_LEAST} to 1", tree.span))
    return found


def _most(b: Binder, tree: s.Syntax, scope: Scope) -> Constant | None:
    found = constant_of(b, tree, scope, LONG)
    if found is not None and not (isinstance(found.value, int) and found.value >= 1):
        b.report(say.bad_argument("a pattern has one dimension at least", tree.span))
    return found


def _wildcards(b: Binder, trees: list[s.Syntax | None], scope: Scope) -> dict[KqlType, Constant]:
    """By their types: each holds for the columns of its type."""
    out: dict[KqlType, Constant] = {}
    for tree in trees:
        if tree is None:
            continue
        found = b.scalar(tree, Row(scope=scope))
        if found is BROKEN:
            continue
        if isinstance(found, Constant):
            out[found.type] = found
        else:
            b.report(say.must_be_constant("a wildcard", tree.span))
    return out


PLUGINS = (
    Plugin(
        "diffpatterns", (3, 64), diffpatterns, "Patterns of values that two sets have in different parts."
    ),
    Plugin(
        "diffpatterns_text",
        (2, 5),
        diffpatterns_text,
        "First words of texts that two sets have in different parts.",
    ),
)
