"""Numbers of .NET: widths that wrap, division that truncates, parsing and conversion. It knows no formatting.

int, bool, double and decimal are Python's int, bool, float and Decimal. The other numeric types are plain
numbers too while their static type is known; in an `object` they are wrapped, so that a cast can tell them.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    DivideByZeroException,
    FormatException,
    InvalidOperationException,
    OverflowException,
)

RANGES: Final[dict[str, tuple[int, int]]] = {
    "sbyte": (-(2**7), 2**7 - 1),
    "byte": (0, 2**8 - 1),
    "short": (-(2**15), 2**15 - 1),
    "ushort": (0, 2**16 - 1),
    "int": (-(2**31), 2**31 - 1),
    "uint": (0, 2**32 - 1),
    "long": (-(2**63), 2**63 - 1),
    "ulong": (0, 2**64 - 1),
}
NET_NAMES: Final = {
    "sbyte": "SByte", "byte": "Byte", "short": "Int16", "ushort": "UInt16", "int": "Int32", "uint": "UInt32",
    "long": "Int64", "ulong": "UInt64", "float": "Single", "double": "Double", "decimal": "Decimal",
}  # fmt: skip


class SByte(int):
    """A boxed sbyte."""


class Byte(int):
    """A boxed byte."""


class Int16(int):
    """A boxed short."""


class UInt16(int):
    """A boxed ushort."""


class UInt32(int):
    """A boxed uint."""


class Int64(int):
    """A boxed long."""


class UInt64(int):
    """A boxed ulong."""


class Single(float):
    """A boxed float. Its `repr` is the shortest text that reads back as the same one."""

    plain = 7  # digits before the point, above which it is written with an exponent

    def __repr__(self) -> str:
        for digits in range(1, 9):
            text = f"{float(self):.{digits}g}"
            if to_single(float(text)) == self:
                return text
        return f"{float(self):.9g}"


BOXES: Final[dict[str, type]] = {
    "sbyte": SByte, "byte": Byte, "short": Int16, "ushort": UInt16, "uint": UInt32, "long": Int64,
    "ulong": UInt64, "float": Single,
}  # fmt: skip
CLASSES: Final[dict[str, type]] = {**BOXES, "int": int, "double": float, "decimal": Decimal}

# Wide enough that a result is rounded once, to what 96 bits and 28 decimals hold.
DECIMAL_CONTEXT: Final = Context(prec=64, rounding=ROUND_HALF_EVEN)
_DECIMAL_TOP: Final = 2**96 - 1


def wrap_int(value: int) -> int:
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def wrap_uint(value: int) -> int:
    return value & 0xFFFFFFFF


def wrap_long(value: int) -> int:
    return ((value + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


def wrap_ulong(value: int) -> int:
    return value & ((1 << 64) - 1)


def wrap(value: int, name: str) -> int:
    """An unchecked conversion: the low bits."""
    low, high = RANGES[name]
    size = high - low + 1
    return (value - low) % size + low


WRAPS: Final = {"int": wrap_int, "uint": wrap_uint, "long": wrap_long, "ulong": wrap_ulong}


def divide_int(left: int, right: int) -> int:
    """Truncates towards zero."""
    if right == 0:
        raise DivideByZeroException
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def remainder_int(left: int, right: int) -> int:
    """Has the sign of the dividend."""
    if right == 0:
        raise DivideByZeroException
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def divide_float(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def remainder_float(left: float, right: float) -> float:
    if right == 0 or math.isinf(left) or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.fmod(left, right)


def _decimal(run: Any, left: Decimal, right: Decimal) -> Decimal:
    try:
        result: Decimal = run(left, right)
    except InvalidOperation:
        raise OverflowException from None
    return check_decimal(result)


def check_decimal(value: Decimal) -> Decimal:
    """The value as a decimal of .NET: 96 bits, at most 28 decimals."""
    if not value.is_finite() or abs(value) >= _DECIMAL_TOP + 1:
        raise OverflowException("Value was either too large or too small for a Decimal.")
    _, digits, exponent = value.as_tuple()
    places = -int(exponent)
    if places <= 28 and (len(digits) < 29 or int("".join(map(str, digits))) <= _DECIMAL_TOP):
        return value if places >= 0 else value.quantize(Decimal(1), context=DECIMAL_CONTEXT)
    for scale in range(min(28, places), -1, -1):
        rounded = value.quantize(Decimal(1).scaleb(-scale), context=DECIMAL_CONTEXT)
        if abs(int(rounded.scaleb(scale, context=DECIMAL_CONTEXT))) <= _DECIMAL_TOP:
            return rounded
    raise OverflowException("Value was either too large or too small for a Decimal.")


def add_decimal(left: Decimal, right: Decimal) -> Decimal:
    return _decimal(DECIMAL_CONTEXT.add, left, right)


def subtract_decimal(left: Decimal, right: Decimal) -> Decimal:
    return _decimal(DECIMAL_CONTEXT.subtract, left, right)


def multiply_decimal(left: Decimal, right: Decimal) -> Decimal:
    return _decimal(DECIMAL_CONTEXT.multiply, left, right)


def divide_decimal(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise DivideByZeroException
    # .NET gives the shortest of equal results: 6 / 3 is 2, 1 / 8 is 0.125.
    return _decimal(DECIMAL_CONTEXT.divide, left, right)


def remainder_decimal(left: Decimal, right: Decimal) -> Decimal:
    if right == 0:
        raise DivideByZeroException
    return _decimal(DECIMAL_CONTEXT.remainder, left, right)


def shift_left_int(value: int, by: int) -> int:
    return wrap_int(value << (by & 31))


def shift_left_long(value: int, by: int) -> int:
    return wrap_long(value << (by & 63))


def shift_left_uint(value: int, by: int) -> int:
    return wrap_uint(value << (by & 31))


def shift_left_ulong(value: int, by: int) -> int:
    return wrap_ulong(value << (by & 63))


def shift_right_int(value: int, by: int) -> int:
    return value >> (by & 31)


def shift_right_long(value: int, by: int) -> int:
    return value >> (by & 63)


# --- conversions between numeric types ------------------------------------------------------------------------


def to_float(value: float | Decimal) -> float:
    return float(value)


def to_single(value: float | Decimal) -> float:
    import struct

    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, float(value))


def to_decimal(value: float) -> Decimal:
    if isinstance(value, int):
        return Decimal(value)
    if math.isnan(value) or math.isinf(value):
        raise OverflowException("Value was either too large or too small for a Decimal.")
    return check_decimal(Decimal(f"{value:.15g}"))


def truncate_to(value: float | Decimal, name: str) -> int:
    """A cast of a floating value to an integral type; what does not fit is the type's smallest value."""
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return RANGES[name][0]
    whole = int(value)
    low, high = RANGES[name]
    if low <= whole <= high:
        return whole
    if isinstance(value, Decimal):
        raise OverflowException(f"Value was either too large or too small for an {NET_NAMES[name]}.")
    return low


def checked(value: int, name: str) -> int:
    """A conversion of `Convert`: what does not fit is an exception."""
    low, high = RANGES[name]
    if not low <= value <= high:
        article = "an unsigned byte" if name == "byte" else f"an {NET_NAMES[name]}"
        raise OverflowException(f"Value was either too large or too small for {article}.")
    return value


# --- parsing -----------------------------------------------------------------------------------------------------

_INTEGER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,400})[ \t\n\v\f\r\0]*\Z")
_FLOAT: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?)[ \t\n\v\f\r]*\Z"
)


def parse_integer(text: str | None, name: str) -> int:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: String")
    match = _INTEGER.match(text)
    if match is None:
        raise FormatException
    return checked(int(match[1]), name)


def parse_double(text: str | None) -> float:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: String")
    match = _FLOAT.match(text)
    if match is None:
        known = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(text.strip())
        if known is None:
            raise FormatException
        return known
    return float(match[1].replace(",", ""))


def parse_decimal(text: str | None) -> Decimal:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: String")
    match = _FLOAT.match(text)
    if match is None or "e" in match[1].lower():
        raise FormatException
    try:
        return check_decimal(DECIMAL_CONTEXT.create_decimal(match[1].replace(",", "")))
    except ArithmeticError:
        # More digits than even the wide context has exponents for.
        raise OverflowException("Value was either too large or too small for a Decimal.") from None


def try_parse(run: Any, text: str | None, default: Any) -> tuple[bool, Any]:
    try:
        return True, run(text)
    except (FormatException, OverflowException, ArgumentNullException):
        return False, default


def parse_bool(text: str | None) -> bool:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    folded = text.strip(" \t\n\v\f\r\0").lower()
    if folded not in ("true", "false"):
        raise FormatException("String was not recognized as a valid Boolean.")
    return folded == "true"


# --- Nullable<T> ---------------------------------------------------------------------------------------------


def nullable_value(value: Any) -> Any:
    if value is None:
        raise InvalidOperationException("Nullable object must have a value.")
    return value


def has_value(value: Any) -> bool:
    return value is not None


def value_or(value: Any, default: Any) -> Any:
    return default if value is None else value


def lifted_not(value: bool | None) -> bool | None:
    return None if value is None else not value


def lifted(run: Any, left: Any, right: Any) -> Any:
    """An operator over nullables: null when one of them is."""
    return None if left is None or right is None else run(left, right)


def compare(left: Any, right: Any) -> int:
    return int((left > right) - (left < right))


def same(left: Any, right: Any) -> bool:
    """NaN equals itself here."""
    return bool(left == right or (left != left and right != right))
