"""Binds scalar functions whose arguments are no plain values: types, columns, tables, groups of a pattern."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.bind_expressions import BROKEN, ExpressionBinder, any_broken
from aforo.kql.bound import Apply, Constant, Expression, Path, Reference
from aforo.kql.convert import apply, cast, coerce
from aforo.kql.functions.catalog import SCALARS
from aforo.kql.literals import json_value
from aforo.kql.naming import own_name
from aforo.kql.natives.bags import path_steps
from aforo.kql.patterns import groups_by_name, judge
from aforo.kql.scope import Row
from aforo.kql.types import BOOL, DATETIME, DYNAMIC, INT, LONG, NUMBERS, REAL, STRING, TIMESPAN, KqlType

Form = Callable[[ExpressionBinder, s.Call, Row], Expression]

_SORTS = {"array_sort_asc": "arrays_sorted_asc", "array_sort_desc": "arrays_sorted_desc"}


def _counted(b: ExpressionBinder, tree: s.Call, least: int, most: int) -> bool:
    if least <= len(tree.arguments) <= most:
        return True
    wanted = f"{least} arguments" if least == most else f"{least} to {most} arguments"
    b.report(say.wrong_count(tree.function, wanted, len(tree.arguments), tree.span))
    return False


def _argument(b: ExpressionBinder, tree: s.Call, index: int, row: Row, type_: KqlType) -> Expression | None:
    """An argument as that type; None (reported) where it is none."""
    bound = b.scalar(tree.arguments[index], row)
    if bound is BROKEN:
        return None
    fitted = coerce(bound, type_)
    if fitted is None:
        what = f"argument {index % len(tree.arguments) + 1} of {tree.function}()"
        b.report(say.wrong_type(what, type_.value, bound.type.value, tree.arguments[index].span))
    return fitted


def _type(b: ExpressionBinder, tree: s.Call, index: int) -> KqlType | None:
    """The type that a `typeof(...)` names, None (reported) for anything else."""
    wanted = tree.arguments[index]
    if isinstance(wanted, s.TypeOf):
        return wanted.type
    b.report(say.must_be_constant("the type, such as typeof(long),", wanted.span))
    return None


# -- arrays ----------------------------------------------------------------------------------------------


def sorted_arrays(b: ExpressionBinder, tree: s.Call, row: Row) -> tuple[Expression, list[str]] | None:
    """array_sort_asc and its kin: one array with all sorted arrays, and the names that they have as columns.

    The last argument may be a constant: whether nulls go last."""
    if not _counted(b, tree, 1, 65):
        return None
    bound = [b.scalar(argument, row) for argument in tree.arguments]
    if any_broken(*bound):
        return None
    last = bound[-1]
    nulls = Constant(True, BOOL)
    if len(bound) > 1 and last.type is BOOL:
        if not isinstance(last, Constant):
            b.report(say.must_be_constant("whether nulls go last", tree.arguments[-1].span))
            return None
        nulls = Constant(last.value is not False, BOOL)
        bound = bound[:-1]
    for expression, argument in zip(bound, tree.arguments, strict=False):
        if expression.type is not DYNAMIC:
            what = f"what {tree.function}() sorts"
            b.report(say.wrong_type(what, "dynamic", expression.type.value, argument.span))
            return None
    names = [own_name(argument) or tree.function for argument in tree.arguments[: len(bound)]]
    return Apply(_SORTS[tree.function], (*bound, nulls), DYNAMIC), [f"{name}_sorted" for name in names]


def _array_sort(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    found = sorted_arrays(b, tree, row)
    if found is None:
        return BROKEN
    arrays, names = found
    if len(names) > 1:
        what = f"{tree.function}() of several arrays, which gives several columns, inside an expression"
        hint = f"{tree.function}(...)[0] is the first of them"
        return b.broken(say.unsupported(what, tree.name_span, hint))
    return Path(arrays, (0,))


def part_of_call(b: ExpressionBinder, target: s.Syntax, key: Expression, row: Row) -> Expression | None:
    """`array_sort_asc(a, b)[1]`: one of several columns; None where it is an index as any other."""
    if not isinstance(target, s.Call) or target.function not in _SORTS or len(target.arguments) < 2:
        return None
    before = len(b.mistakes)
    found = sorted_arrays(b, target, row)
    if found is None:
        return BROKEN
    arrays, names = found
    if len(names) < 2:
        return None
    del b.mistakes[before:]
    place = key.value if isinstance(key, Constant) else None
    if not isinstance(place, int) or not 0 <= place < len(names):
        return b.broken(say.bad_argument(f"the index is one of 0 to {len(names) - 1}", target.span))
    return Path(arrays, (place,))


# -- columns and tables ----------------------------------------------------------------------------------


def _bag_pack_columns(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 1, 32767):
        return BROKEN
    flat: list[Expression] = []
    for argument in tree.arguments:
        bound = b.scalar(argument, row)
        if bound is BROKEN:
            return BROKEN
        if not isinstance(bound, Reference):
            return b.broken(say.bad_argument("bag_pack_columns() takes columns", argument.span,
                                             "bag_pack('name', value) takes any values"))  # fmt: skip
        flat += [Constant(bound.column.name, STRING), bound]
    return apply("bag_pack", tuple(flat), DYNAMIC)


def _iscolumnexists(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 1, 1):
        return BROKEN
    name = b.scalar(tree.arguments[0], row)
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        return b.broken(say.must_be_constant("the name of the column", tree.arguments[0].span))
    return Constant(row.find(name.value) is not None, BOOL)


# Bytes of one value, where they do not depend on it.
_SIZES = {BOOL: 1, INT: 4, LONG: 8, REAL: 8, DATETIME: 8, TIMESPAN: 8, KqlType.GUID: 16, KqlType.DECIMAL: 16}


def _estimate_data_size(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 1, 32767):
        return BROKEN
    if len(tree.arguments) == 1 and isinstance(tree.arguments[0], s.Star):
        columns: list[Expression] = [Reference(c) for c in row.columns]
    else:
        columns = [b.scalar(argument, row) for argument in tree.arguments]
    if any_broken(*columns):
        return BROKEN
    if any(c.type is DYNAMIC for c in columns):
        return b.broken(say.unsupported("estimate_data_size() of a dynamic value", tree.span))
    fixed = sum(_SIZES.get(c.type, 0) for c in columns)
    total: Expression = Constant(fixed, LONG)
    for column in columns:
        if column.type is STRING:
            total = apply("add", (total, apply("string_size", (column,), LONG)), LONG)
    return total


# -- texts -----------------------------------------------------------------------------------------------


def _extract_all(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    """`extract_all(regex, [groups,] text)`: one dimension for one group, two for several."""
    if not _counted(b, tree, 2, 3):
        return BROKEN
    pattern = b.scalar(tree.arguments[0], row)
    text = _argument(b, tree, -1, row, STRING)
    if pattern is BROKEN or text is None:
        return BROKEN
    if not isinstance(pattern, Constant) or not isinstance(pattern.value, str):
        return b.broken(say.must_be_constant("the regular expression", tree.arguments[0].span))
    problem, count = judge(pattern.value)
    if problem:
        return b.broken(say.bad_argument(problem, tree.arguments[0].span))
    if not 1 <= count <= 16:
        return b.broken(say.bad_argument(f"the regular expression has {count} groups; extract_all() takes 1 to 16",
                                         tree.arguments[0].span, "put what is wanted in (...)"))  # fmt: skip
    groups = list(range(1, count + 1))
    if len(tree.arguments) == 3:
        named = groups_by_name(pattern.value)
        wanted = b.scalar(tree.arguments[1], row)
        listed = json_value(wanted.value) if isinstance(wanted, Constant) else None
        if not isinstance(listed, list) or not listed:
            return b.broken(say.must_be_constant("the list of groups", tree.arguments[1].span))
        groups = [named.get(g, 0) if isinstance(g, str) else g for g in listed]
        for name, group in zip(listed, groups, strict=True):
            if isinstance(group, bool) or not isinstance(group, int) or not 1 <= group <= count:
                problem = f"the regular expression has no group {name!r}"
                return b.broken(say.bad_argument(problem, tree.arguments[1].span))
    numbers = tuple(Constant(g, LONG) for g in groups)
    return Apply("extract_all", (pattern, text, *numbers), DYNAMIC)


def _extract_json(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 2, 3):
        return BROKEN
    path, text = b.scalar(tree.arguments[0], row), _argument(b, tree, 1, row, STRING)
    if path is BROKEN or text is None:
        return BROKEN
    if not isinstance(path, Constant) or not isinstance(path.value, str):
        return b.broken(say.must_be_constant("the path", tree.arguments[0].span))
    if path.value != "$" and not isinstance(path_steps(path.value), list):
        return b.broken(say.bad_argument(f"{path.value!r} is no path", tree.arguments[0].span,
                                         "a path reads like $.a.b[0] or $['a b']"))  # fmt: skip
    found = Apply("extract_json", (path, text), STRING)
    if len(tree.arguments) < 3:
        return found
    type_ = _type(b, tree, 2)
    if type_ is None:
        return BROKEN
    return Apply("extract_json_value", (path, text), DYNAMIC) if type_ is DYNAMIC else cast(found, type_)


def _percentile_tdigest(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 2, 3):
        return BROKEN
    digest, point = _argument(b, tree, 0, row, DYNAMIC), _argument(b, tree, 1, row, REAL)
    if digest is None or point is None:
        return BROKEN
    found = Apply("percentile_tdigest", (digest, point), DYNAMIC)
    if len(tree.arguments) < 3:
        return found
    type_ = _type(b, tree, 2)
    return BROKEN if type_ is None else cast(found, type_)


# -- numbers and times -----------------------------------------------------------------------------------


def _around(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if not _counted(b, tree, 3, 3):
        return BROKEN
    value, center, delta = (b.scalar(argument, row) for argument in tree.arguments)
    if any_broken(value, center, delta):
        return BROKEN
    low, high = (b.arithmetic(op, center, delta, tree.span) for op in ("-", "+"))
    if any_broken(low, high):
        return BROKEN
    inside = (b.compare(">=", value, low, tree.span), b.compare("<=", value, high, tree.span))
    return BROKEN if any_broken(*inside) else apply("and", inside, BOOL)


# The options of `set` that functions here read.
OPTIONS = frozenset({"query_bin_auto_size", "query_bin_auto_at"})


def _bin_auto(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    """`bin` or `bin_at`, with size and point from `set` statements."""
    if not _counted(b, tree, 1, 1):
        return BROKEN
    value, size = b.scalar(tree.arguments[0], row), b.options.get("query_bin_auto_size")
    point = b.options.get("query_bin_auto_at")
    if size is None:
        return b.broken(
            say.bad_argument("bin_auto() needs 'set query_bin_auto_size = ...' before the query", tree.span)
        )
    if any_broken(value, size) or point is BROKEN:
        return BROKEN
    step = TIMESPAN if value.type in (DATETIME, TIMESPAN) else None
    numbers = value.type in NUMBERS and size.type in NUMBERS and (point is None or point.type in NUMBERS)
    times = step is not None and size.type is step and (point is None or point.type is value.type)
    if not numbers and not times:
        said = f"bin_auto() of {value.type.value} with a size of {size.type.value}"
        return b.broken(
            say.bad_argument(said + ("" if point is None else f" at {point.type.value}"), tree.span)
        )
    parts = (value, size) if point is None else (value, size, point)
    declared = SCALARS["bin" if point is None else "bin_at"]
    return apply(declared.operation, parts, declared.result_type(tuple(p.type for p in parts)))


def _rand(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    """`rand(n)` is one of 0 to n - 1, as a real."""
    if not _counted(b, tree, 0, 1):
        return BROKEN
    if not tree.arguments:
        return Apply("rand", (), REAL)
    most = _argument(b, tree, 0, row, LONG)
    return BROKEN if most is None else Apply("rand_below", (most,), REAL)


def _make_datetime(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    if len(tree.arguments) == 1:
        return cast(b.scalar(tree.arguments[0], row), DATETIME)
    if not _counted(b, tree, 3, 6):
        return BROKEN
    parts = [b.scalar(argument, row) for argument in tree.arguments]
    for i, part in enumerate(parts):
        if part is not BROKEN and part.type not in (*NUMBERS, DYNAMIC):
            what = f"argument {i + 1} of make_datetime()"
            b.report(say.wrong_type(what, "a number", part.type.value, tree.arguments[i].span))
            return BROKEN
    if any_broken(*parts):
        return BROKEN
    # All but the seconds are whole.
    whole = tuple(cast(part, REAL if i == 5 else LONG) for i, part in enumerate(parts))
    return apply("make_datetime", whole, DATETIME)


def _make_timespan(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    """Hour and minute; with a second; with a day before them."""
    if len(tree.arguments) == 1:
        return cast(b.scalar(tree.arguments[0], row), TIMESPAN)
    if not _counted(b, tree, 2, 4):
        return BROKEN
    types = {2: (LONG, LONG), 3: (LONG, LONG, REAL), 4: (LONG, LONG, LONG, REAL)}[len(tree.arguments)]
    parts = [_argument(b, tree, i, row, types[i]) for i in range(len(tree.arguments))]
    fine = [p for p in parts if p is not None]
    if len(fine) < len(parts):
        return BROKEN
    if len(fine) < 4:
        fine.insert(0, Constant(0, LONG))
    if len(fine) < 4:
        fine.append(Constant(0.0, REAL))
    return Apply("make_timespan", tuple(fine), TIMESPAN)


def _hash(b: ExpressionBinder, tree: s.Call, row: Row) -> Expression:
    """Values of different types are different bytes."""
    if not _counted(b, tree, 1, 2):
        return BROKEN
    value = b.scalar(tree.arguments[0], row)
    mod = _argument(b, tree, 1, row, LONG) if len(tree.arguments) > 1 else Constant(None, LONG)
    if value is BROKEN or mod is None:
        return BROKEN
    kind = _HASHED.get(value.type)
    if kind is None:
        hint = "tostring(...) makes a text of it"
        what = f"{tree.function}() of a {value.type.value} value"
        return b.broken(say.unsupported(what, tree.arguments[0].span, hint))
    return Apply(f"hash_{kind}", (value, mod), LONG)


_HASHED = {
    STRING: "text", LONG: "long", DATETIME: "long", TIMESPAN: "long", INT: "int", REAL: "real", BOOL: "bool",
    KqlType.GUID: "guid",
}  # fmt: skip


FORMS: dict[str, Form] = {
    "array_sort_asc": _array_sort,
    "array_sort_desc": _array_sort,
    "bag_pack_columns": _bag_pack_columns,
    "iscolumnexists": _iscolumnexists,
    "estimate_data_size": _estimate_data_size,
    "extract_all": _extract_all,
    "extractall": _extract_all,
    "extract_json": _extract_json,
    "extractjson": _extract_json,
    "percentile_tdigest": _percentile_tdigest,
    "around": _around,
    "bin_auto": _bin_auto,
    "rand": _rand,
    "make_datetime": _make_datetime,
    "make_timespan": _make_timespan,
    "hash": _hash,
    "hash_xxhash64": _hash,
}
