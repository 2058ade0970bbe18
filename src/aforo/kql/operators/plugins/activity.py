"""Plugins over who was there when: sliding_window_counts, active_users_count, activity_counts_metrics,
activity_metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aforo.kql import syntax as s
from aforo.kql.binder import Binder
from aforo.kql.bound import Column, Constant, Reference, Relation, Windowed
from aforo.kql.operators.plugins.library import column_of, constant_of, quoted, timeline, written
from aforo.kql.operators.plugins.spec import Plugin, PluginCall
from aforo.kql.plan import Project, Sort, SortKey, Window
from aforo.kql.scope import Meaning, Scope
from aforo.kql.types import DATETIME, LONG, KqlType

DATA = "T | where isnotnull(_t) and _t >= _from and _t <= _end"


@dataclass(frozen=True, slots=True)
class _Call:
    """The arguments that all of them have: who, when, from, to, some distances, dimensions."""

    rows: Relation
    when: Column
    dims: tuple[Column, ...]
    values: dict[str, Meaning]

    @property
    def by(self) -> str:
        """The dimensions as they follow another key."""
        return "".join(f", {quoted(c.name)}" for c in self.dims)

    def names(self, relation: Relation, **more: Meaning) -> dict[str, Meaning]:
        return {"T": relation, **self.values, **more}


def arguments(
    b: Binder,
    relation: Relation,
    call: PluginCall,
    scope: Scope,
    *distances: str,
    trees: Sequence[s.Syntax] = (),
    bounded: bool = True,
) -> _Call | None:
    """`distances` names the arguments behind the end; one that begins with `#` is a count. `trees` are the arguments,
    where they are not those of the call as they stand. What is not `bounded` has neither start nor end."""
    trees = trees or call.arguments
    who, when = column_of(b, relation, trees[0]), column_of(b, relation, trees[1])
    if who is None or when is None:
        return None
    types = timeline(b, when, call)
    if types is None:
        return None
    place, distance = types
    values: dict[str, Meaning] = {}
    wanted: Sequence[tuple[str, KqlType]] = [
        *((name, place) for name in ("_start", "_end") if bounded), *((d.lstrip("#"), LONG if d.startswith("#") else distance) for d in distances)
    ]  # fmt: skip
    for (name, type_), tree in zip(wanted, trees[2:], strict=False):
        constant = constant_of(b, tree, scope, type_)
        if constant is None:
            return None
        values[name] = constant
    dims: list[Column] = []
    for tree in trees[2 + len(wanted) :]:
        column = column_of(b, relation, tree)
        if column is None:
            return None
        dims.append(column)
    # The two columns under names of their own, beside the dimensions under theirs.
    rows = Project(
        relation,
        (
            (b.column("_id", who.type), Reference(who)),
            (b.column("_t", when.type), Reference(when)),
            *((c, Reference(c)) for c in dims),
        ),
    )
    if bounded:
        values["_from"] = values["_start"]
    return _Call(rows, when, tuple(dims), values)


def earlier(found: _Call, name: str) -> None:
    """The data is read from so long before the start."""
    start, span = found.values["_start"], found.values[name]
    assert isinstance(start, Constant)
    assert isinstance(span, Constant)
    assert isinstance(start.value, int | float)
    assert isinstance(span.value, int | float)
    before = start.value - span.value
    found.values["_from"] = Constant(max(before, 0) if start.type is DATETIME else before, start.type)


def sliding_window_counts(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each step, the rows and the distinct values of the time before it."""
    found = arguments(b, relation, call, scope, "_lookback", "_bin")
    if found is None:
        return relation
    earlier(found, "_lookback")
    text = f"""{DATA} | extend _w = range(bin_at(_t, _bin, _start), bin_at(_t, _bin, _start) + _lookback - _bin, _bin)
    | mv-expand _w | extend _w = {read(found.when)} | where _w >= _start and _w <= _end
    | summarize Count = count(), Dcount = dcount(_id) by {quoted(found.when.name)} = _w{found.by}
    | sort by {quoted(found.when.name)} asc"""
    return written(b, call, text, found.names(found.rows)) or relation


def read(when: Column) -> str:
    """A place as an array gives it back."""
    return {"datetime": "todatetime(_w)", "real": "toreal(_w)"}.get(when.type.value, "tolong(_w)")


def active_users_count(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each step, who was there in so many periods of the time before one of his appearances."""
    found = arguments(b, relation, call, scope, "_lookback", "_period", "#_least", "_bin")
    if found is None:
        return relation
    earlier(found, "_lookback")
    text = f"""{DATA} | summarize by _id{found.by}, _p = bin_at(_t, _period, _start)
    | extend _w = range(_p, _p + _lookback - _period, _period) | mv-expand _w | extend _w = {read(found.when)}
    | summarize _n = count(), _own = countif(_w == _p) by _id{found.by}, _w
    | where _own > 0 and _n >= _least and _w >= _start and _w <= _end
    | summarize dcount = dcount(_id) by {quoted(found.when.name)} = bin_at(_w, _bin, _start){found.by}
    | sort by {quoted(found.when.name)} asc"""
    return written(b, call, text, found.names(found.rows)) or relation


def activity_counts_metrics(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each window: rows, values, values that no earlier window had, and all values so far."""
    found = arguments(b, relation, call, scope, "_window")
    if found is None:
        return relation
    text = f"{DATA} | summarize _n = count() by _id{found.by}, _w = bin_at(_t, _window, _start)"
    seen = written(b, call, text, found.names(found.rows))
    if seen is None:
        return relation
    by_name = {c.name: c for c in seen.columns}
    among = [by_name[c.name] for c in found.dims]
    first = b.column("_first", by_name["_w"].type)
    told = Window(
        seen,
        ((first, Windowed("whole:min", (Reference(by_name["_w"]),), first.type)),),
        tuple(Reference(c) for c in (by_name["_id"], *among)),
    )
    text = f"""T | summarize ["count"] = sum(_n), ["dcount"] = count(), new_dcount = countif(_first == _w) by _w{found.by}"""
    counted = written(
        b, call, text, found.names(Project(told, tuple((c, Reference(c)) for c in told.columns)))
    )
    if counted is None:
        return relation
    by_name = {c.name: c for c in counted.columns}
    total = b.column("aggregated_dcount", LONG)
    window = by_name["_w"]
    summed = Window(
        Sort(counted, (SortKey(Reference(window), True, True),)),
        ((total, Windowed("row_cumsum", (Reference(by_name["new_dcount"]),), LONG)),),
        tuple(Reference(by_name[c.name]) for c in found.dims),
    )
    when = b.column(found.when.name, window.type)
    dims = [by_name[c.name] for c in found.dims]
    shown = [*dims, by_name["count"], by_name["dcount"], by_name["new_dcount"], total]
    return Project(summed, ((when, Reference(window)), *((c, Reference(c)) for c in shown)))


def activity_metrics(b: Binder, relation: Relation, call: PluginCall, scope: Scope) -> Relation:
    """For each window against the one before it: values, new values, the part that came back and the part that left."""
    found = arguments(b, relation, call, scope, "_window")
    if found is None:
        return relation
    name = quoted(found.when.name)
    text = f"""{DATA} | summarize by _id{found.by}, _p = bin_at(_t, _window, _start)
    | extend _w = range(_p, _p + _window, _window) | mv-expand _w | extend _w = {read(found.when)} | where _w <= _end
    | summarize _here = countif(_w == _p), _before = countif(_w != _p) by _id{found.by}, _w
    | summarize dcount_values = countif(_here > 0), dcount_newvalues = countif(_here > 0 and _before == 0),
        _last = countif(_before > 0) by {name} = _w{found.by}
    | where dcount_values > 0
    | extend retention_rate = todouble(dcount_values - dcount_newvalues) / _last
    | extend churn_rate = 1.0 - retention_rate | project-away _last | sort by {name} asc"""
    return written(b, call, text, found.names(found.rows)) or relation


PLUGINS = (
    Plugin(
        "sliding_window_counts", (6, 64), sliding_window_counts, "Rows and values in a window that slides."
    ),
    Plugin("active_users_count", (8, 64), active_users_count, "Who was there often enough before."),
    Plugin(
        "activity_counts_metrics",
        (5, 64),
        activity_counts_metrics,
        "Rows, values and new values of each window.",
    ),
    Plugin("activity_metrics", (5, 64), activity_metrics, "Who came back and who left, window by window."),
)
