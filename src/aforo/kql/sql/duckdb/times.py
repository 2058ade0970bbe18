"""Datetimes and timespans in DuckDB: calendar arithmetic over ticks, and formats."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aforo.kql.bound import Constant, Expression
from aforo.kql.sql import tree as t
from aforo.kql.sql.duckdb.builder import Builder
from aforo.kql.sql.tree import Node
from aforo.kql.ticks import UNITS
from aforo.kql.types import KqlType

_PER = {part: UNITS[part] for part in ("day", "hour", "minute", "second", "millisecond", "microsecond")} | {
    "week": 7 * UNITS["day"]
}
# More than there are from the year 1 to 9999.
_MOST = {"day": 4_000_000, "week": 600_000, "month": 120_000, "year": 10_000}
_EPOCH = 621_355_968_000_000_000
_UNIX = {"seconds": 10_000_000, "milliseconds": 10_000, "microseconds": 10}


def _ts(node: Node) -> Node:
    return t.call("kql_ts", node)


def _part(bound: Expression) -> str:
    assert isinstance(bound, Constant)
    return str(bound.value).lower()


def _start(unit: str) -> Builder:
    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        return t.call(f"kql_{unit}_start", a[0], _offset(unit, a) if len(a) > 1 else t.number(0))

    return build


def _offset(unit: str, a: Sequence[Node]) -> Node:
    """So many units, null beyond all that there are."""
    return t.call("kql_few", a[1], t.number(_MOST[unit]))


def _end(unit: str) -> Builder:
    """The last tick before the next start."""

    def build(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
        offset = t.binary("Add", _offset(unit, a), t.number(1)) if len(a) > 1 else t.number(1)
        return t.binary("Sub", t.call(f"kql_{unit}_start", a[0], offset), t.number(1))

    return build


def _add(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    part = _part(bound[0])
    if part in ("year", "quarter", "month"):
        months = {"year": 12, "quarter": 3, "month": 1}[part]
        return t.call("kql_add_months", a[2], t.binary("Mul", t.cast(a[1], "HUGEINT"), t.number(months)))
    if part == "nanosecond":
        return t.binary("Add", a[2], t.call("kql_divide_long", a[1], t.number(100)))
    return t.call("kql_add_ticks", a[2], a[1], t.number(_PER[part]))


def _diff(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    """Counts the borders of the part between the two, the first minus the second."""
    part = _part(bound[0])
    if part == "nanosecond":
        return t.call("kql_nanoseconds", t.binary("Sub", a[1], a[2]))
    if part in ("year", "quarter", "month"):
        return t.binary("Sub", _ordinal(part, a[1]), _ordinal(part, a[2]))
    return t.binary("Sub", _border(part, a[1]), _border(part, a[2]))


def _ordinal(part: str, node: Node) -> Node:
    if part == "year":
        return t.call("year", _ts(node))
    months = t.binary("Sub", t.call("kql_month_number", node), t.number(1))
    return months if part == "month" else t.call("kql_divide_long", months, t.number(3))


def _border(part: str, node: Node) -> Node:
    if part == "week":
        # Day 0 of the count, 0001-01-01, was a Monday; weeks begin on Sunday.
        node = t.binary("Add", node, t.number(UNITS["day"]))
    return t.call("kql_divide_long", node, t.number(_PER[part]))


def _piece(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    part, moment = _part(bound[0]), a[1]
    match part:
        case "week" | "week_of_year":
            return t.call("kql_iso_week", moment)
        case "millisecond" | "microsecond" | "nanosecond":
            per = {"millisecond": 10_000, "microsecond": 10}.get(part)
            rest = t.binary("Mod", moment, t.number(10_000_000))
            whole = (
                t.binary("Mul", rest, t.number(100))
                if per is None
                else t.call("kql_divide_long", rest, t.number(per))
            )
            return t.cast(whole, "INTEGER")
        case _:
            name = {"dayofyear": "dayofyear", "weekday": "dayofweek"}.get(part, part)
            return t.cast(t.call(name, _ts(moment)), "INTEGER")


def _calendar(function: str) -> Builder:
    return lambda a, _bound, _result: t.cast(t.call(function, _ts(a[0])), "INTEGER")


def _make_datetime(a: Sequence[Node], _bound: Sequence[Expression], _: KqlType) -> Node:
    return t.call("kql_make_datetime", *a, *([t.number(0)] * (6 - len(a))))


def _unix(unit: str) -> Builder:
    def build(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
        if unit == "nanoseconds":
            ticks: Node = t.call("kql_divide_long", t.try_cast(a[0], "BIGINT"), t.number(100))
        elif bound[0].type in (KqlType.INT, KqlType.LONG):
            return t.call("kql_add_ticks", t.number(_EPOCH), a[0], t.number(_UNIX[unit]))
        else:
            ticks = t.try_cast(t.call("round", t.binary("Mul", a[0], t.number(_UNIX[unit]))), "BIGINT")
        return t.binary("Add", ticks, t.number(_EPOCH))

    return build


# -- formats ---------------------------------------------------------------------------------------------

_DATE_TOKENS: dict[str, str] = {
    "yyyy": "%Y", "yy": "%y", "y": "%-y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dddd": "%A", "ddd": "%a", "dd": "%d",
    "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "tt": "%p",
}  # fmt: skip
_DATE_TOKEN = re.compile(r"y{1,4}|M{1,4}|d{1,4}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7}|tt|.", re.DOTALL)
_SPAN_TOKEN = re.compile(r"d{1,8}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7}|.", re.DOTALL)


def _constant(bound: Expression) -> str:
    assert isinstance(bound, Constant)
    return str(bound.value)


def _format_datetime(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    pieces: list[Node] = []
    pattern = ""
    for token in _DATE_TOKEN.findall(_constant(bound[1])):
        if token[0] in "fF":
            if pattern:
                pieces.append(t.call("strftime", _ts(a[0].copy()), t.text(pattern)))
                pattern = ""
            pieces.append(_fraction(a[0].copy(), token))
        else:
            pattern += _DATE_TOKENS.get(token) or token.replace("%", "%%")
    if pattern:
        pieces.append(t.call("strftime", _ts(a[0].copy()), t.text(pattern)))
    return t.coalesce(_joined(pieces), t.text(""))


def _fraction(ticks: Node, token: str) -> Node:
    digits = t.call("left", t.call("kql_fraction", t.call("abs", ticks)), t.number(len(token)))
    return t.call("rtrim", digits, t.text("0")) if token[0] == "F" else digits


def _format_timespan(a: Sequence[Node], bound: Sequence[Expression], _: KqlType) -> Node:
    pieces: list[Node] = []
    for token in _SPAN_TOKEN.findall(_constant(bound[1])):
        span = t.call("abs", a[0].copy())
        unit = {"d": ("day", None), "h": ("h", 24), "H": ("h", 24), "m": ("m", 60), "s": ("s", 60)}.get(
            token[0]
        )
        if unit is not None:
            count = t.call("kql_divide_long", span, t.number(UNITS[unit[0]]))
            if unit[1] is not None:
                count = t.binary("Mod", count, t.number(unit[1]))
            text = t.cast(count, "VARCHAR")
            pieces.append(t.call("kql_pad", text, t.number(len(token))))
        elif token[0] in "fF":
            pieces.append(_fraction(span, token))
        else:
            pieces.append(t.text(token))
    return t.coalesce(_joined(pieces), t.text(""))


def _joined(pieces: list[Node]) -> Node:
    """NULL when a piece is NULL, as `||` has it."""
    node = pieces[0] if pieces else t.text("")
    for piece in pieces[1:]:
        node = t.glot().DPipe(this=node, expression=piece)
    return node


BUILDERS: dict[str, Builder] = {
    **{f"startof{unit}": _start(unit) for unit in ("day", "week", "month", "year")},
    **{f"endof{unit}": _end(unit) for unit in ("day", "week", "month", "year")},
    **{f"unixtime_{unit}_todatetime": _unix(unit) for unit in (*_UNIX, "nanoseconds")},
    "datetime_add": _add,
    "datetime_diff": _diff,
    "datetime_part": _piece,
    "make_datetime": _make_datetime,
    "format_datetime": _format_datetime,
    "format_timespan": _format_timespan,
    "getyear": _calendar("year"),
    "monthofyear": _calendar("month"),
    "dayofmonth": _calendar("day"),
    "dayofyear": _calendar("dayofyear"),
    "hourofday": _calendar("hour"),
    "week_of_year": _calendar("weekofyear"),
    "dayofweek": lambda a, _bound, _result: t.binary(
        "Mul", t.cast(t.call("dayofweek", _ts(a[0])), "BIGINT"), t.number(UNITS["day"])
    ),
}
