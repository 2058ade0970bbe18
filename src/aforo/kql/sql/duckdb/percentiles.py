"""Aggregates of distributions in DuckDB: percentiles, with weights too, and digests that are merged later."""

from __future__ import annotations

from collections.abc import Callable

from aforo.kql.bound import Constant, Expression
from aforo.kql.literals import json_value
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb.convert import CONVERSIONS, TYPE_NAMES
from aforo.kql.sql.duckdb.request import Request
from aforo.kql.sql.tree import Node
from aforo.kql.types import DECIMAL, REAL, STRING, KqlType


def _percentile(r: Request) -> Node:
    """The nearest rank: the value at position ceil(n * p / 100), which is always one of the values."""
    return _at_share(r, r.arguments[0], r.bound[1])


def _at_share(r: Request, value: Node, point: Expression) -> Node:
    assert isinstance(point, Constant)
    share = min(max(float(str(point.value)) / 100, 0.0), 1.0)
    return r.over(t.call("quantile_disc", value, t.number(share)))


def together(items: list[Node]) -> None:
    """Percentiles of one column, in the select list of one query: the engine is asked for all at once, for it keeps and
    sorts the column anew for each call."""
    e = t.glot()
    asked: dict[tuple[str, str], list[tuple[Node, Node]]] = {}
    for item in items:
        for call in item.find_all(e.Anonymous):
            if call.this == "quantile_disc" and isinstance(call.expressions[1], e.Literal):
                whole = call.parent if isinstance(call.parent, e.Filter) else call
                condition = whole.expression.sql() if whole is not call else ""
                asked.setdefault((call.expressions[0].sql(), condition), []).append((call, whole))
    for calls in asked.values():
        shares = list(dict.fromkeys(call.expressions[1].this for call, _ in calls))
        if len(shares) < 2:
            continue
        for call, whole in calls:
            place = shares.index(call.expressions[1].this) + 1
            listed = t.call(
                "quantile_disc", call.expressions[0].copy(), t.array(*(t.number(float(s)) for s in shares))
            )
            over = listed if whole is call else e.Filter(this=listed, expression=whole.expression.copy())
            whole.replace(t.call("list_extract", over, t.number(place)))


def _points(r: Request, first: int) -> list[Expression]:
    """The percentiles from this argument on; a constant array stands for its elements."""
    out: list[Expression] = []
    for bound in r.bound[first:]:
        assert isinstance(bound, Constant)
        listed = json_value(bound.value)
        out += [Constant(v, REAL) for v in listed] if isinstance(listed, list) else [bound]
    return out


def _as_array(values: list[Node], type_: KqlType) -> Node:
    """An array of what is null for all at once; then it is null itself."""
    items = [t.coalesce(CONVERSIONS["to_dynamic"](v, type_), t.text("null")) for v in values]
    made = t.call("kql_make_array", t.array(*items))
    return t.choice([(t.is_null(values[0].copy()), t.null())], made)


def _percentiles_array(r: Request) -> Node:
    found = [_at_share(r, r.arguments[0].copy(), point) for point in _points(r, 1)]
    return _as_array(found, r.bound[0].type)


def _pairs(r: Request, weight: Node) -> Node:
    """All values with their weights, as one JSON array of pairs."""
    value = r.arguments[0]
    number = t.cast(value, "DOUBLE" if r.bound[0].type in (REAL, DECIMAL) else "BIGINT")
    pair = t.call("concat", t.text("["), number, t.text(","), weight, t.text("]"))
    present = t.negation(t.is_null(value.copy()))
    return t.call("kql_make_array", r.over(t.call("list", pair), without_nulls=present))


def _weighted(r: Request, pairs: Node, point: Expression) -> Node:
    assert isinstance(point, Constant)
    type_ = r.bound[0].type
    kind = "real" if type_ in (REAL, DECIMAL) else "long"
    share = t.cast(t.number(float(str(point.value))), "DOUBLE")
    return t.cast(t.call(f"kqlpy_percentile_weighted_{kind}", pairs, share), TYPE_NAMES[type_])


def _percentile_weighted(r: Request) -> Node:
    return _weighted(r, _pairs(r, r.arguments[1]), r.bound[2])


def _percentiles_weighted_array(r: Request) -> Node:
    found = [_weighted(r, _pairs(r, r.arguments[1].copy()), point) for point in _points(r, 2)]
    return _as_array(found, r.bound[0].type)


def _tdigest(r: Request) -> Node:
    weight = r.arguments[1] if len(r.arguments) > 1 else t.text("1")
    return t.call("kqlpy_tdigest_state", _pairs(r, weight), t.text(r.bound[0].type.value))


def _hll(r: Request) -> Node:
    e = t.glot()
    value = r.arguments[0]
    present = (
        t.binary("NEQ", value.copy(), t.text(""))
        if r.bound[0].type is STRING
        else t.negation(t.is_null(value.copy()))
    )
    hashed = t.cast(t.call("md5_number_lower", CONVERSIONS["tostring"](value, r.bound[0].type)), "VARCHAR")
    distinct = r.over(t.call("list", e.Distinct(expressions=[hashed])), without_nulls=present)
    return t.call("kqlpy_hll_state", t.coalesce(distinct, t.cast(t.array(), "VARCHAR[]")))


def _together(function: str) -> Callable[[Request], Node]:
    """A function in Python of all that is not null, as JSON texts."""

    def build(r: Request) -> Node:
        value = r.arguments[0]
        found = r.over(t.call("list", value), without_nulls=t.negation(t.is_null(value.copy())))
        return t.call(f"kqlpy_{function}", t.coalesce(found, t.cast(t.array(), "VARCHAR[]")))

    return build


AGGREGATES: dict[str, Callable[[Request], Node]] = {
    "percentile": _percentile,
    "percentiles_array": _percentiles_array,
    "percentile_weighted": _percentile_weighted,
    "percentiles_weighted_array": _percentiles_weighted_array,
    "tdigest": _tdigest,
    "tdigest_merge": _together("tdigest_merge"),
    "hll": _hll,
    "hll_merge": _together("hll_merge"),
    "buildschema": _together("buildschema"),
}
