"""System.Convert, and the change of a value to a type that Newtonsoft and Convert share."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from aforo.csharp.runtime import dates as d
from aforo.csharp.runtime import numbers as n
from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    FormatException,
    InvalidCastException,
    OverflowException,
)
from aforo.csharp.runtime.guids import Guid, parse_guid
from aforo.csharp.runtime.json import JValue
from aforo.csharp.runtime.limits import room
from aforo.csharp.runtime.objects import Char, TypeInfo, net_type_name, to_string
from aforo.csharp.runtime.spans import TimeSpan, parse_span
from aforo.csharp.types import TypeDecl, declare, member


def _open(value: Any) -> Any:
    """A JValue converts as what it holds."""
    return value.value if isinstance(value, JValue) else value


def _integral(value: Any, name: str) -> int:
    value = _open(value)
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return n.checked(int(value), name)
    if isinstance(value, Char):
        return n.checked(ord(value), name)
    if isinstance(value, str):
        return n.parse_integer(value, name)
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            raise OverflowException(f"Value was either too large or too small for an {n.NET_NAMES[name]}.")
        return n.checked(round(value), name)
    if isinstance(value, Decimal):
        return n.checked(int(value.to_integral_value(ROUND_HALF_EVEN)), name)
    raise _no_cast(value, n.NET_NAMES[name])


def _no_cast(value: Any, target: str) -> InvalidCastException:
    source = net_type_name(value).rpartition(".")[2]
    return InvalidCastException(f"Invalid cast from '{source}' to '{target}'.")


def to_int(value: Any) -> int:
    return _integral(value, "int")


def to_long(value: Any) -> int:
    return _integral(value, "long")


def to_short(value: Any) -> int:
    return _integral(value, "short")


def to_byte(value: Any) -> int:
    return _integral(value, "byte")


def to_sbyte(value: Any) -> int:
    return _integral(value, "sbyte")


def to_uint(value: Any) -> int:
    return _integral(value, "uint")


def to_ulong(value: Any) -> int:
    return _integral(value, "ulong")


def to_ushort(value: Any) -> int:
    return _integral(value, "ushort")


def to_base(text: str | None, base: int) -> int:
    """`Convert.ToInt32(text, base)`: 2, 8, 10 or 16."""
    if text is None:
        return 0
    try:
        value = int(text.lower().removeprefix("0x") if base == 16 else text, base)
    except ValueError:
        raise FormatException("Could not find any recognizable digits.") from None
    if base != 10 and 2**31 <= value < 2**32:
        value -= 2**32
    return n.checked(value, "int")


def to_byte_base(text: str | None, base: int) -> int:
    return n.checked(to_base(text, base), "byte")


def to_double(value: Any) -> float:
    value = _open(value)
    if value is None:
        return 0.0
    if isinstance(value, str):
        return n.parse_double(value)
    if isinstance(value, (bool, int, float, Decimal)):
        return float(value)
    raise _no_cast(value, "Double")


def to_single(value: Any) -> float:
    return n.to_single(to_double(value))


def to_decimal(value: Any) -> Decimal:
    value = _open(value)
    if value is None:
        return Decimal(0)
    if isinstance(value, str):
        return n.parse_decimal(value)
    if isinstance(value, Decimal):
        return value
    if isinstance(value, (bool, int, float)):
        return n.to_decimal(value)
    raise _no_cast(value, "Decimal")


def to_bool(value: Any) -> bool:
    value = _open(value)
    if value is None:
        return False
    if isinstance(value, str):
        return n.parse_bool(value)
    if isinstance(value, (bool, int, float, Decimal)):
        return bool(value)
    raise _no_cast(value, "Boolean")


def to_char(value: Any) -> str:
    value = _open(value)
    if isinstance(value, str):
        if len(value) != 1:
            raise FormatException("String must be exactly one character long.")
        return str(value)
    return chr(_integral(value, "ushort"))


def to_text(value: Any) -> str | None:
    return to_string(value)


def text_or_null(value: str | None) -> str | None:
    return value


def int_to_base(value: int, base: int) -> str:
    value = value & 0xFFFFFFFF if value < 0 and base != 10 else value
    return {2: f"{value:b}", 8: f"{value:o}", 10: str(value), 16: f"{value:x}"}.get(base, str(value))


def to_date(value: Any) -> d.DateTime:
    value = _open(value)
    if isinstance(value, d.DateTime):
        return value
    if isinstance(value, d.DateTimeOffset):
        return d.DateTime(value.ticks, 2)
    if isinstance(value, str):
        return d.parse_date(value)
    raise _no_cast(value, "DateTime")


def to_offset(value: Any) -> d.DateTimeOffset:
    if isinstance(value, d.DateTimeOffset):
        return value
    if isinstance(value, d.DateTime):
        return d.DateTimeOffset(value.ticks)
    if isinstance(value, str):
        return d.parse_offset(value)
    raise _no_cast(value, "DateTimeOffset")


def to_guid(value: Any) -> Guid:
    return value if isinstance(value, Guid) else parse_guid(to_string(value))


def to_span(value: Any) -> TimeSpan:
    return value if isinstance(value, TimeSpan) else parse_span(to_string(value))


CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "int": to_int, "long": to_long, "short": to_short, "byte": to_byte, "sbyte": to_sbyte, "uint": to_uint,
    "ulong": to_ulong, "ushort": to_ushort, "double": to_double, "float": to_single, "decimal": to_decimal,
    "bool": to_bool, "char": to_char, "DateTime": to_date, "DateTimeOffset": to_offset, "Guid": to_guid,
    "TimeSpan": to_span,
}  # fmt: skip


def change_type(value: Any, info: TypeInfo) -> Any:
    """A scalar as another scalar type; null becomes null, or is refused where T cannot be null."""
    if info.name == "string":
        return None if value is None else to_string(value)
    if info.name == "Nullable":
        assert info.element is not None
        return None if value is None else change_type(value, info.element)
    if value is None:
        if info.default is None:
            return None
        raise InvalidCastException("Null object cannot be converted to a value type.")
    run = CONVERTERS.get(info.name)
    if run is None:
        return info.cast(value)
    return run(value)


def base64_text(data: bytearray | None) -> str:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: inArray")
    room(len(data) * 4 // 3 + 4)
    return base64.b64encode(data).decode()


def from_base64(text: str | None) -> bytearray:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    room(len(text))
    try:
        return bytearray(base64.b64decode("".join(text.split()), validate=True))
    except ValueError:
        raise FormatException(
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters."
        ) from None


def _named(name: str) -> str:
    return n.NET_NAMES.get(name, {"bool": "Boolean", "char": "Char"}.get(name, name))


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Convert",
        *(
            member(f"static {name} To{_named(name)}(object value)", run)
            for name, run in CONVERTERS.items()
            if name not in ("DateTimeOffset", "Guid", "TimeSpan")
        ),
        member("static int ToInt32(string value, int fromBase)", to_base),
        member("static byte ToByte(string value, int fromBase)", to_byte_base),
        member("static string ToString(object value)", to_text),
        member("static string? ToString(string value)", text_or_null),
        member("static string ToString(int value, int toBase)", int_to_base),
        member("static string ToBase64String(byte[] inArray)", base64_text),
        member("static byte[] FromBase64String(string s)", from_base64),
        kind="static",
    ),
)
