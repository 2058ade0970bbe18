"""Which moments a column can have where a condition holds, and what that says about the columns it was computed from.
A range that is told may be wider than the true one, never narrower. It knows no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aforo.kql.bound import Apply, Column, Constant, Expression, Reference
from aforo.kql.ticks import MAX_DATETIME, TICKS_PER_DAY
from aforo.kql.types import BOOL, DATETIME, TIMESPAN

# The least and the greatest tick, both within the range; None where there is no end.
TimeRange = tuple[int | None, int | None]
# Per id of a column.
TimeRanges = Mapping[int, TimeRange]

ALWAYS: TimeRange = (None, None)
_SWAPPED = {
    "less": "greater",
    "greater": "less",
    "less_equal": "greater_equal",
    "greater_equal": "less_equal",
}
# What these give lies at most so far from the moment: before it, or behind it.
_LONGEST = {
    "day": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
    "month": 31 * TICKS_PER_DAY,
    "year": 366 * TICKS_PER_DAY,
}
_STARTS = {f"startof{unit}": width for unit, width in _LONGEST.items()}
_ENDS = {f"endof{unit}": width for unit, width in _LONGEST.items()}
_FIRST_YEAR, _LAST_YEAR = 1, 9999


def where(predicate: Expression) -> dict[int, TimeRange]:
    """Per column the moments for which the predicate can hold."""
    match predicate:
        case Apply(operation="and", arguments=parts):
            out: dict[int, TimeRange] = {}
            for part in parts:
                out = both(out, where(part))
            return out
        case Apply(operation="or", arguments=(first, second)):
            left, right = where(first), where(second)
            ranges = {id_: wider(left[id_], right[id_]) for id_ in left.keys() & right.keys()}
            return {id_: found for id_, found in ranges.items() if found != ALWAYS}
        case Apply(operation="in", arguments=(operand, *items)) if items:
            values = [i.value for i in items if isinstance(i, Constant)]
            moments = [v for v in values if isinstance(v, int)]
            if len(moments) < len(items):
                return {}
            return of(operand, (min(moments), max(moments)))
        case Apply(operation=op, arguments=(Constant(value=int() as value), operand)):
            return _compared(_SWAPPED.get(op, op), operand, value)
        case Apply(operation=op, arguments=(operand, Constant(value=int() as value))):
            return _compared(op, operand, value)
        case _:
            return {}


def _compared(op: str, operand: Expression, value: int) -> dict[int, TimeRange]:
    # Of whole steps the next one is exact; a stored moment keeps the value itself, which does no harm.
    step = 0 if isinstance(operand, Reference) else 1
    match op:
        case "equals":
            return of(operand, (value, value))
        case "greater":
            return of(operand, (value + step, None))
        case "greater_equal":
            return of(operand, (value, None))
        case "less":
            return of(operand, (None, value - step))
        case "less_equal":
            return of(operand, (None, value))
        case _:
            return {}


def of(expression: Expression, span: TimeRange) -> dict[int, TimeRange]:
    """The range of the column below an expression whose value is not null and within `span`; {} when it says nothing."""
    low, high = span
    match expression:
        case Reference(column=column):
            return {column.id: span} if column.type is DATETIME and span != ALWAYS else {}
        case Apply(operation="same", arguments=(inner,)):
            return of(inner, span)
        case Apply(operation="bin" | "bin_at", arguments=(inner, Constant(value=int() as size, type=t), *_)):
            down = t is TIMESPAN and inner.type is DATETIME and size > 0
            if not down:
                return {}
            if high is not None and expression.operation == "bin":
                high -= high % size
            return of(inner, (low, _moved(high, size - 1)))
        case Apply(operation="startofday", arguments=(inner,)):
            return of(Apply("bin", (inner, Constant(TICKS_PER_DAY, TIMESPAN)), DATETIME), span)
        case Apply(operation=name, arguments=(inner,)) if name in _STARTS:
            return of(inner, (low, _moved(high, _STARTS[name] - 1)))
        case Apply(operation=name, arguments=(inner,)) if name in _ENDS:
            return of(inner, (_moved(low, 1 - _ENDS[name]), high))
        case (
            Apply(operation="getyear", arguments=(inner,))
            | Apply(operation="datetime_part", arguments=(Constant(value="year"), inner))
        ):
            return of(inner, (_first_of(low), None if high is None else _moved(_first_of(high + 1), -1)))
        case Apply(operation="add", arguments=(inner, Constant(value=int() as by, type=t))) if t is TIMESPAN:
            return of(inner, (_moved(low, -by), _moved(high, -by))) if inner.type is DATETIME else {}
        case Apply(operation="subtract", arguments=(inner, Constant(value=int() as by, type=t))):
            return of(inner, (_moved(low, by), _moved(high, by))) if t in (TIMESPAN, DATETIME) else {}
        case Apply(operation="subtract", arguments=(Constant(value=int() as at, type=t), inner)):
            back = (None if high is None else at - high, None if low is None else at - low)
            return of(inner, back) if t is DATETIME else {}
        case _:
            return {}


def through(items: Iterable[tuple[Column, Expression]], ranges: TimeRanges) -> dict[int, TimeRange]:
    """The ranges of the columns from which `items` are computed, told of the items' own."""
    out: dict[int, TimeRange] = {}
    if ranges:  # most queries ask for no time, and of a hundred columns
        for column, expression in items:
            if column.id in ranges:
                out = both(out, of(expression, ranges[column.id]))
    return out


def both(first: TimeRanges, second: TimeRanges) -> dict[int, TimeRange]:
    """What holds when the two do."""
    out = dict(first)
    for id_, (low, high) in second.items():
        least, greatest = out.get(id_, ALWAYS)
        out[id_] = (
            low if least is None else least if low is None else max(least, low),
            high if greatest is None else greatest if high is None else min(greatest, high),
        )
    return out


def wider(first: TimeRange, second: TimeRange) -> TimeRange:
    """The range that holds both."""
    low = None if first[0] is None or second[0] is None else min(first[0], second[0])
    high = None if first[1] is None or second[1] is None else max(first[1], second[1])
    return low, high


def _moved(tick: int | None, by: int) -> int | None:
    return None if tick is None else tick + by


def _first_of(year: int | None) -> int | None:
    """The first tick of a year."""
    if year is None or not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    before = year - 1
    return (365 * before + before // 4 - before // 100 + before // 400) * TICKS_PER_DAY


def as_conditions(column: Column, span: TimeRange) -> list[Expression]:
    """The range as comparisons that hold for every row within it."""
    low, high = (None if end is None else Constant(min(max(end, 0), MAX_DATETIME), DATETIME) for end in span)
    here = Reference(column)
    out: list[Expression] = []
    if low is not None:
        out.append(Apply("greater_equal", (here, low), BOOL))
    if high is not None:
        out.append(Apply("less_equal", (here, high), BOOL))
    return out
