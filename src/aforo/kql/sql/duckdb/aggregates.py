"""Aggregates and window functions in DuckDB, with Kusto's results over nothing (0, NaN, [], null)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aforo.kql.bound import Constant
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb import percentiles
from aforo.kql.sql.duckdb.convert import CONVERSIONS, TYPE_NAMES
from aforo.kql.sql.duckdb.overflow import wrapped_sum
from aforo.kql.sql.duckdb.request import Request
from aforo.kql.sql.tree import Node
from aforo.kql.types import DYNAMIC, STRING, KqlType


def _count(r: Request) -> Node:
    return r.over(t.glot().Count(this=t.glot().Star()))


def _addends(r: Request) -> Node:
    """What to add up: whole numbers before they are made decimals, at half the price."""
    node = r.arguments[0]
    return node.this if node.meta.get("whole") else node


def _sum(r: Request) -> Node:
    if r.result is KqlType.LONG and r.bound[0].type is KqlType.LONG:
        return wrapped_sum(r.zero(t.call("sum", _addends(r))))
    return t.cast(r.zero(t.call("sum", _addends(r))), TYPE_NAMES[r.result])


def _avg(r: Request) -> Node:
    match r.result:
        case KqlType.DECIMAL:
            addends = _addends(r)
            total, count = r.over(t.call("sum", addends)), r.over(t.call("count", t.again(addends)))
            if addends is not r.arguments[0]:
                total = t.cast(total, "DECIMAL(38,12)")
            return t.call("kql_average_decimal", total, count)
        case KqlType.REAL:
            return t.coalesce(r.over(t.call("avg", r.arguments[0])), t.cast(t.text("NaN"), "DOUBLE"))
        case _:
            return t.cast(t.call("round", r.over(t.call("avg", r.arguments[0]))), "BIGINT")


def _extreme(function: str) -> Callable[[Request], Node]:
    def build(r: Request) -> Node:
        if r.bound[0].type is DYNAMIC:
            raise AssertionError("no order among dynamic values")
        found = r.over(t.call(function, r.arguments[0]))
        return t.coalesce(found, t.text("")) if r.result is STRING else found

    return build


def _count_distinct(r: Request) -> Node:
    e = t.glot()
    return r.over(e.Count(this=e.Distinct(expressions=[r.arguments[0]])))


def _json(r: Request) -> Node:
    return CONVERSIONS["to_dynamic"](r.arguments[0], r.bound[0].type)


def _limited(r: Request, found: Node) -> Node:
    if len(r.bound) > 1 and isinstance(r.bound[1], Constant):
        found = t.call("list_slice", found, t.number(1), r.arguments[1])
    return t.coalesce(t.call("kql_make_array", found), t.text("[]"))


def _ordered(value: Node, order: Node | None) -> Node:
    e = t.glot()
    return (
        value
        if order is None
        else e.Order(this=value, expressions=[e.Ordered(this=order.copy(), desc=False, nulls_first=False)])
    )


def _make_list(r: Request) -> Node:
    value = _json(r)
    call = t.call("list", _ordered(value, r.order))
    return _limited(r, _flattened(r, r.over(call, without_nulls=t.negation(t.is_null(value.copy())))))


def _flattened(r: Request, values: Node) -> Node:
    """Of arrays the elements are taken, not the arrays themselves (Kusto's reference: `geo_h3cell_rings`)."""
    return t.call("kql_flattened", values) if r.bound[0].type is DYNAMIC else values


def _make_list_with_nulls(r: Request) -> Node:
    return _limited(r, r.over(t.call("list", _ordered(t.coalesce(_json(r), t.text("null")), r.order))))


def _make_set(r: Request) -> Node:
    e = t.glot()
    value = _json(r)
    # Sorted, so that the same rows always give the same text.
    found = r.over(
        t.call("list", e.Distinct(expressions=[value])), without_nulls=t.negation(t.is_null(value.copy()))
    )
    if r.bound[0].type is DYNAMIC:
        found = t.call("list_distinct", t.call("kql_flattened", found))
    return _limited(r, t.call("list_sort", found))


def _make_bag(r: Request) -> Node:
    bags = r.over(t.call("list", r.arguments[0]), without_nulls=t.call("kql_is_bag", r.arguments[0].copy()))
    most = r.arguments[1] if len(r.arguments) > 1 else t.null()
    return t.coalesce(t.call("kqlpy_bag_of", t.call("kql_make_array", bags), most), t.text("{}"))


def _series_points(r: Request) -> Node:
    """A map from place to JSON, for `series_fill` alone."""
    value = t.coalesce(CONVERSIONS["to_dynamic"](r.arguments[1], r.bound[1].type), t.text("null"))
    return t.call("map_from_entries", t.call("list", t.call("row", r.arguments[0], value)))


def _take_any(r: Request) -> Node:
    if r.result is STRING:
        # Some text that is not empty, where there is one.
        return t.coalesce(
            r.over(t.call("any_value", t.call("nullif", r.arguments[0], t.text("")))), t.text("")
        )
    return r.over(t.call("any_value", r.arguments[0]))


def _row(value: Node) -> Node:
    return t.call("row", value)


def _take_any_row(r: Request) -> Node:
    return t.call("struct_extract", r.over(t.call("first", _row(r.arguments[0]))), t.number(1))


def _arg(function: str) -> Callable[[Request], Node]:
    """A one-field row keeps nulls of the value; without any comparable row, some row stands in."""

    def build(r: Request) -> Node:
        best = r.over(t.call(function, _row(r.arguments[0]), r.arguments[1]))
        some = r.over(t.call("first", _row(r.arguments[0].copy())))
        return t.call("struct_extract", t.coalesce(best, some), t.number(1))

    return build


def _spread(function: str) -> Callable[[Request], Node]:
    def build(r: Request) -> Node:
        return r.zero(t.call(function, t.cast(r.arguments[0], "DOUBLE")))

    return build


def _covariance(function: str) -> Callable[[Request], Node]:
    return lambda r: r.zero(t.call(function, *(t.cast(n, "DOUBLE") for n in r.arguments)))


def _bits(function: str) -> Callable[[Request], Node]:
    return lambda r: r.over(t.call(function, r.arguments[0]))


AGGREGATES: dict[str, Callable[[Request], Node]] = {
    "count": _count,
    "sum": _sum,
    "avg": _avg,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "count_distinct": _count_distinct,
    "make_list": _make_list,
    "make_list_with_nulls": _make_list_with_nulls,
    "make_set": _make_set,
    "make_bag": _make_bag,
    **percentiles.AGGREGATES,
    "covariance": _covariance("covar_samp"),
    "covariancep": _covariance("covar_pop"),
    "series_points": _series_points,
    "take_any": _take_any,
    "take_any_row": _take_any_row,
    "arg_max": _arg("arg_max"),
    "arg_min": _arg("arg_min"),
    "stdev": _spread("stddev_samp"),
    "stdevp": _spread("stddev_pop"),
    "variance": _spread("var_samp"),
    "variancep": _spread("var_pop"),
    "binary_all_and": _bits("bit_and"),
    "binary_all_or": _bits("bit_or"),
    "binary_all_xor": _bits("bit_xor"),
}


# -- window functions ------------------------------------------------------------------------------------


def _over(
    call: Node, order: Node, partition: Node | None = None, frame: bool = False, spec: Node | None = None
) -> Node:
    e = t.glot()
    if frame:
        spec = e.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
    return e.Window(
        this=call,
        partition_by=[partition] if partition is not None else None,
        order=e.Order(expressions=[e.Ordered(this=order.copy(), desc=False, nulls_first=False)]),
        spec=spec,
    )


# The calls that an aggregate is made of.
_CALLS = frozenset({"sum", "count", "avg", "min", "max", "quantile_disc"})


def whole(operation: str, request: Request, part: Node | None) -> Node:
    """An aggregate over the whole part that a row is in, told beside the row."""
    e = t.glot()
    if operation == "count" and request.arguments:
        return e.Window(
            this=e.Count(this=request.arguments[0]), partition_by=[part] if part is not None else None
        )

    def told(node: Node) -> Node:
        if isinstance(node, e.Count) or (isinstance(node, e.Anonymous) and node.name in _CALLS):
            return e.Window(this=node, partition_by=[part.copy()] if part is not None else None)
        return node

    return AGGREGATES[operation](request).transform(told, copy=False)


def part(restart: Node, order: Node) -> Node:
    """The number of rows up to this one at which something begins anew."""
    marks = t.choice([(restart, t.number(1))], t.number(0))
    return _over(t.call("sum", marks), order, frame=True)


def window(
    operation: str, arguments: Sequence[Node], result: KqlType, order: Node, part: Node | None
) -> Node:
    """A window function over rows numbered by `order`, anew in each `part`."""
    match operation:
        case "row_number":
            start = arguments[0] if arguments else t.number(1)
            return t.binary(
                "Add", _over(t.call("row_number"), order, part), t.binary("Sub", start, t.number(1))
            )
        case "prev" | "next":
            default = arguments[2] if len(arguments) > 2 else (t.text("") if result is STRING else t.null())
            offset = arguments[1] if len(arguments) > 1 else t.number(1)
            return _over(
                t.call("lag" if operation == "prev" else "lead", arguments[0], offset, default), order, part
            )
        case "any_near":
            # A row is near when one so many rows further on, or back, holds.
            around = t.glot().WindowSpec(
                kind="ROWS",
                start=arguments[2],
                start_side="PRECEDING",
                end=arguments[1],
                end_side="FOLLOWING",
            )
            return _over(t.call("bool_or", arguments[0]), order, part, spec=around)
        case "row_cummax":
            return _over(t.call("max", arguments[0]), order, part, frame=True)
        case "row_cumsum":
            return t.cast(_over(t.call("sum", arguments[0]), order, part, frame=True), TYPE_NAMES[result])
        case _:
            raise AssertionError(operation)


WINDOWS = ("row_number", "prev", "next", "row_cumsum", "row_rank_dense", "row_rank_min", "row_window_session")
