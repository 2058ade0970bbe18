"""Plugins that follow who came when over several windows: activity_engagement, new_activity_metrics, rolling_percentile."""

from __future__ import annotations

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Reference, Relation, Windowed
from aforo.kql.call_checks import percentile_problem
from aforo.kql.operators.plugins.activity import DATA, arguments, earlier, read
from aforo.kql.operators.plugins.library import column_of, constant_of, quoted, timeline, written
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Project, Window
from aforo.kql.scope import Meaning, Scope
from aforo.kql.types import DATETIME, LONG, NUMBERS, REAL, TIMESPAN

_CALENDAR = ("week", "month", "year")


def activity_engagement(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each inner window, how many were there in it and in the outer window that ends with it."""
    bounded = len(call.arguments) > 4 and not _is_column(relation, call.arguments[4])
    if bounded and len(call.arguments) == 5:
        b.report(say.wrong_count(call.name, "an outer window behind the inner one", 5, call.span))
        return relation
    found = arguments(b, relation, call, scope, "_inner", "_outer", bounded=bounded)
    if found is None:
        return relation
    rows, within = found.rows, "_w >= _start and _w <= _end"
    if bounded:
        earlier(found, "_outer")
        windows = f"{DATA} | summarize by _id{found.by}, _b = bin_at(_t, _inner, _start)"
    else:
        windows = f"T | where isnotnull(_t) | summarize by _id{found.by}, _b = bin(_t, _inner)"
        seen = written(b, call, windows, found.names(rows))
        if seen is None:
            return relation
        rows, windows, within = _with_last(b, seen), "T", "_w <= _last"
    text = f"""{windows}
    | extend _w = range(_b, _b + _outer - _inner, _inner) | mv-expand _w | extend _w = {read(found.when)}
    | where {within}
    | summarize _own = countif(_w == _b) by _id{found.by}, _w
    | summarize dcount_activities_inner = countif(_own > 0), dcount_activities_outer = count()
        by {quoted(found.when.name)} = _w{found.by}
    | extend activity_ratio = todouble(dcount_activities_inner) / dcount_activities_outer
    | sort by {quoted(found.when.name)} asc"""
    return written(b, call, text, found.names(rows)) or relation


def _with_last(b: Binder, seen: Relation) -> Relation:
    """`_last` beside `_b`: the greatest of all rows, whose dimensions do not count."""
    begins = next(c for c in seen.columns if c.name == "_b")
    last = b.column("_last", begins.type)
    told = Window(seen, ((last, Windowed("whole:max", (Reference(begins),), last.type)),))
    return Project(told, tuple((c, Reference(c)) for c in told.columns))


def new_activity_metrics(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For those first seen in one window, how many of them came in each window from that on."""
    trees = list(call.arguments)
    unit = trees[4].value if isinstance(trees[4], s.Literal) and isinstance(trees[4].value, str) else ""
    if unit:
        if unit not in _CALENDAR:
            b.report(
                say.bad_argument("a window by its name is one of 'week', 'month', 'year'", trees[4].span)
            )
            return relation
        # A distance to go by, in place of the name.
        trees[4] = s.Literal(1, TIMESPAN, trees[4].span)
    lookback = trees.pop() if len(trees) > 5 and b.is_tabular(trees[-1], scope) else None
    cohort = trees.pop(5) if len(trees) > 5 and not _is_column(relation, trees[5]) else None
    found = arguments(b, relation, call, scope, "_window", trees=trees)
    if found is None:
        return relation
    if unit and found.when.type is not DATETIME:
        b.report(say.wrong_type(f"a time line by the {unit}", "datetime", found.when.type.value, call.span))
        return relation
    names = found.names(found.rows)
    chosen = ""
    if cohort is not None:
        first = found.values["_start"]
        assert isinstance(first, Constant)
        if (constant := constant_of(b, cohort, scope, first.type)) is None:
            return relation
        names["_cohort"] = constant
        chosen = "| where _from_w == _cohort"
    known = ""
    if lookback is not None:
        before = b.relation(lookback, scope)
        who = column_of(b, before, call.arguments[0])
        if who is None:
            return relation
        names["_L"] = Project(before, ((b.column("_id", who.type), Reference(who)),))
        known = "| join kind=leftanti (_L) on _id"
    window = f"startof{unit}({{}})" if unit else "bin_at({}, _window, _start)"
    periods = "_p from _start to _end step " + ("1d" if unit else "_window")
    dims = "".join(f"{quoted(c.name)}, " for c in found.dims)
    name = found.when.name
    text = f"""let Seen = {DATA} | summarize by _id{found.by}, _w = {window.format("_t")};
    let First = Seen | summarize _f = min(_w) by _id{found.by} {known};
    let Periods = range {periods} | summarize by _p = {window.format("_p")} | extend _one = 1;
    let Counts = Seen | join kind=leftouter (First) on _id{found.by} | summarize _n = count() by _w, _f{found.by};
    let Sizes = First | summarize _size = count() by _f{found.by};
    Seen | summarize _rows = count() by {dims} _one = 1
    | join kind=inner (Periods | project _from_w = _p, _one) on _one
    | join kind=inner (Periods | project _w = _p, _one) on _one
    | where _w >= _from_w {chosen}
    | project {dims} _from_w, _w
    | join kind=leftouter (Counts) on {dims} _w
    | summarize dcount_new_values = sumif(_n, _f > _from_w or (_w == _from_w and _f == _from_w)),
        dcount_retained_values = sumif(_n, _f == _from_w) by {dims} _from_w, _w
    | join kind=leftouter (Sizes | project-rename _from_w = _f) on {dims} _from_w
    | extend _size = coalesce(_size, 0)
    | project {quoted("from_" + name)} = _from_w, {quoted("to_" + name)} = _w, {dims} dcount_new_values,
        dcount_retained_values, dcount_churn_values = _size - dcount_retained_values,
        retention_rate = todouble(dcount_retained_values) / _size,
        churn_rate = todouble(_size - dcount_retained_values) / _size
    | sort by {quoted("from_" + name)} asc, {quoted("to_" + name)} asc"""
    return written(b, call, text, names) or relation


def _is_column(relation: Relation, tree: s.Syntax) -> bool:
    return isinstance(tree, s.Name) and any(c.name == tree.text for c in relation.columns)


def rolling_percentile(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each bin, a percentile of the values in it and in the bins before it."""
    trees = call.arguments
    value, index = column_of(b, relation, trees[0]), column_of(b, relation, trees[2])
    if value is None or index is None:
        return relation
    if value.type not in NUMBERS | {DATETIME, TIMESPAN}:
        b.report(
            say.wrong_type(
                "what a percentile is taken of", "a number or a time", value.type.value, trees[0].span
            )
        )
        return relation
    types = timeline(b, index, call)
    if types is None:
        return relation
    point, size = constant_of(b, trees[1], scope, REAL), constant_of(b, trees[3], scope, types[1])
    bins = constant_of(b, trees[4], scope, LONG)
    if point is None or size is None or bins is None:
        return relation
    if problem := percentile_problem(point):
        b.report(say.bad_argument(problem, trees[1].span))
        return relation
    if not isinstance(bins.value, int) or bins.value < 1:
        b.report(say.bad_row_count(bins.value, trees[4].span))
        return relation
    dims: list[Column] = []
    for tree in trees[5:]:
        if (column := column_of(b, relation, tree)) is None:
            return relation
        dims.append(column)
    rows = Project(
        relation,
        (
            (b.column("_v", value.type), Reference(value)),
            (b.column("_t", index.type), Reference(index)),
            *((c, Reference(c)) for c in dims),
        ),
    )
    by = "".join(f", {quoted(c.name)}" for c in dims)
    made = quoted(f"rolling_{bins.value}_percentile_{value.name}_{_shown(point.value)}")
    text = f"""T | where isnotnull(_t) | extend _b = bin(_t, _size)
    | extend _w = range(_b, _b + _size * (_bins - 1), _size) | mv-expand _w | extend _w = {read(index)}
    | summarize {made} = percentile(_v, _point), _own = countif(_w == _b) by {quoted(index.name)} = _w{by}
    | where _own > 0 | project-away _own | sort by {quoted(index.name)} asc"""
    names: dict[str, Meaning] = {"T": rows, "_size": size, "_bins": bins, "_point": point}
    return written(b, call, text, names) or relation


def _shown(number: object) -> str:
    """50 and 50.0 are 50."""
    return f"{number:g}" if isinstance(number, float) else str(number)


PLUGINS = (
    Plugin(
        "activity_engagement", (4, 64), activity_engagement, "Who was there in a window, of a longer one."
    ),
    Plugin(
        "new_activity_metrics",
        (5, 64),
        new_activity_metrics,
        "Who of those first seen in a window came back.",
    ),
    Plugin("rolling_percentile", (5, 64), rolling_percentile, "A percentile over the bins up to each bin."),
)
