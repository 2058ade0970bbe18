"""Implicit conversions, and folding of constants. It knows types and values, not names."""

from __future__ import annotations

import math
from decimal import Decimal

from aforo.kql.bound import Apply, Constant, Expression
from aforo.kql.literals import json_value, scalar_value
from aforo.kql.ticks import MAX_DATETIME, TICKS_PER_DAY, format_datetime
from aforo.kql.types import (
    BOOL,
    DATETIME,
    DECIMAL,
    DYNAMIC,
    GUID,
    INT,
    INTEGERS,
    LONG,
    NUMBERS,
    REAL,
    STRING,
    TIMESPAN,
    KqlType,
    widest,
)  # fmt: skip
from aforo.stamps import timespan_text

# The operation that turns any value into the type.
TO: dict[KqlType, str] = {
    BOOL: "tobool", INT: "toint", LONG: "tolong", REAL: "toreal", DECIMAL: "todecimal", STRING: "tostring",
    DATETIME: "todatetime", TIMESPAN: "totimespan", GUID: "toguid", DYNAMIC: "to_dynamic",
}  # fmt: skip


def cast(expression: Expression, type_: KqlType) -> Expression:
    """The value as that type, by the explicit conversion."""
    if expression.type is type_:
        return expression
    if isinstance(expression, Constant) and (folded := _constant(expression, type_)) is not None:
        return folded
    return Apply(TO[type_], (expression,), type_)


def coerce(expression: Expression, type_: KqlType) -> Expression | None:
    """The value as that type where Kusto converts by itself, None where it does not."""
    have = expression.type
    if have is type_:
        return expression
    if isinstance(expression, Constant) and expression.value is None:
        return Constant(None, type_)
    if widest(have, type_) is type_ or have is DYNAMIC or type_ is DYNAMIC:
        return cast(expression, type_)
    if (
        isinstance(expression, Constant)
        and have is LONG
        and type_ is INT
        and isinstance(expression.value, int)
    ):
        narrow = _constant(expression, INT)
        return narrow if narrow is not None and narrow.value is not None else None
    return None


def coerce_literal(expression: Expression, type_: KqlType) -> Expression | None:
    """A constant text or number read as the other side's type (`ResponseCode == '200'`), None when it is none."""
    if not isinstance(expression, Constant) or expression.value is None:
        return None
    if expression.type is STRING:
        value = scalar_value(str(expression.value), LONG if type_ is INT else type_)
        return None if value is None else Constant(value, LONG if type_ is INT else type_)
    if expression.type in INTEGERS and type_ is STRING:
        return Constant(str(expression.value), STRING)
    return None


def _constant(constant: Constant, type_: KqlType) -> Constant | None:
    value, have = constant.value, constant.type
    if value is None:
        return Constant(None if type_ is not STRING else "", type_)
    if have in NUMBERS and type_ in NUMBERS:
        return _number(value, type_)
    if have is STRING and type_ in (DATETIME, TIMESPAN, GUID, BOOL, DECIMAL):
        parsed = scalar_value(str(value), type_)
        return Constant(parsed, type_)
    if type_ is STRING:
        if have is DATETIME and isinstance(value, int):
            return None
        if have is TIMESPAN and isinstance(value, int):
            return Constant(timespan_text(value), STRING)
        if have in (INT, LONG, GUID):
            return Constant(str(value), STRING)
    if type_ is STRING and have is DYNAMIC and isinstance(json_value(value), str):
        return Constant(json_value(value), STRING)
    return None


def _number(value: object, type_: KqlType) -> Constant | None:
    match type_:
        case KqlType.REAL:
            return Constant(float(value), REAL)  # type: ignore[arg-type]
        case KqlType.DECIMAL:
            return (
                Constant(Decimal(str(value)), DECIMAL)
                if not isinstance(value, float) or math.isfinite(value)
                else None
            )
        case _:
            if isinstance(value, float | Decimal):
                if not math.isfinite(value):
                    return Constant(None, type_)
                value = int(value)
            bits = 31 if type_ is INT else 63
            assert isinstance(value, int)
            return Constant(value if -(1 << bits) <= value < (1 << bits) else None, type_)


def apply(operation: str, arguments: tuple[Expression, ...], type_: KqlType) -> Expression:
    """The operation over its arguments, computed here where all are constant and the result is certain."""
    if all(isinstance(a, Constant) for a in arguments):
        values = [a.value for a in arguments if isinstance(a, Constant)]
        if (folded := _fold(operation, values, arguments, type_)) is not None:
            return folded
    return Apply(operation, arguments, type_)


def _fold(
    operation: str, values: list[object], arguments: tuple[Expression, ...], type_: KqlType
) -> Constant | None:
    if not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return None
    numbers = [v for v in values if isinstance(v, int)]
    result: int | None = None
    match operation, numbers:
        case "add", [a, b]:
            result = a + b
        case "subtract", [a, b]:
            result = a - b
        case "multiply", [a, b]:
            result = a * b
        case "negate", [a]:
            result = -a
        case "bin", [a, size] if size > 0 and arguments[0].type in (DATETIME, TIMESPAN):
            result = a - a % size
        case "startofday", [a] if type_ is DATETIME:
            result = a - a % TICKS_PER_DAY
        case "endofday", [a] if type_ is DATETIME:
            result = a - a % TICKS_PER_DAY + TICKS_PER_DAY - 1
        case _:
            return None
    low, high = (0, MAX_DATETIME) if type_ is DATETIME else (-(1 << 63), (1 << 63) - 1)
    if type_ is DATETIME and not low <= result <= high:
        # Kusto's calendar ends at both sides; what would lie outside is null.
        return Constant(None, DATETIME)
    return Constant(result, type_) if type_ is not REAL and low <= result <= high else None


def shown(constant: Constant) -> str:
    """A constant as a column name part or message shows it."""
    if constant.type is DATETIME and isinstance(constant.value, int):
        return format_datetime(constant.value)
    if constant.type is TIMESPAN and isinstance(constant.value, int):
        return timespan_text(constant.value)
    return str(constant.value)
