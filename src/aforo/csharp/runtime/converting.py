"""System.Convert, and the change of a value to a type that Newtonsoft and Convert share."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime import dates as d
from aforo.csharp.runtime import numbers as n
from aforo.csharp.runtime.enums import NetType, boxed, known
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
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


def to_base(text: str | None, base: int, name: str = "int") -> int:
    """`Convert.ToInt32(text, base)`: 2, 8, 10 or 16; bits beyond the sign make it negative."""
    if base not in (2, 8, 10, 16):
        raise ArgumentException("Invalid Base.")
    if text is None:
        return 0
    if not text:
        raise ArgumentOutOfRangeException(
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: startIndex"
        )
    digits = text.lower().removeprefix("0x") if base == 16 else text
    allowed = "0123456789abcdef"[:base]
    whole = digits.lstrip("+-") if base == 10 else digits
    if not whole or any(c not in allowed for c in whole):
        at = next((i for i, c in enumerate(whole) if c not in allowed), 0)
        what = (
            "Additional non-parsable characters are at the end of the string."
            if at
            else "Could not find any recognizable digits."
        )
        raise FormatException(what)
    if len(whole) > 200:
        raise OverflowException(f"Value was either too large or too small for an {n.NET_NAMES[name]}.")
    value = int(digits, base)
    low, high = n.RANGES[name]
    if base != 10 and low < 0 and high < value <= high * 2 + 1:
        value -= (high + 1) * 2
    return n.checked(value, name)


def _based(name: str) -> Callable[[str | None, int], int]:
    def convert(text: str | None, base: int) -> int:
        return to_base(text, base, name)

    convert.__qualname__ = f"{name}_of_base"
    return convert


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


def _to_base(name: str) -> Callable[[int, int], str]:
    """`Convert.ToString(value, base)`: a negative number as its bits."""
    low, high = n.RANGES[name]

    def convert(value: int, base: int) -> str:
        if base not in (2, 8, 10, 16):
            raise ArgumentException("Invalid Base.")
        if base == 10:
            return str(value)
        bits = value & (high - low)
        return {2: f"{bits:b}", 8: f"{bits:o}", 16: f"{bits:x}"}[base]

    convert.__qualname__ = f"{name}_to_base"
    return convert


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


def change_type_of(value: Any, kind: NetType) -> Any:
    """`Convert.ChangeType(value, typeof(T))`"""
    info = known(kind)
    return boxed(change_type(value, info), info)


def change_type_with_culture(value: Any, kind: NetType, _culture: Any) -> Any:
    return change_type_of(value, kind)


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


class Base64FormattingOptions(IntEnum):
    Nothing = 0  # `None` in C#
    InsertLineBreaks = 1


def base64_lines(data: bytearray | None, options: int) -> str:
    """With `InsertLineBreaks`, CRLF after each 76 characters."""
    text = base64_text(data)
    if not options:
        return text
    room(len(text) + len(text) // 38)
    return "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))


def _piece(data: bytearray | None, at: int, size: int) -> bytearray:
    if data is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: inArray")
    if min(at, size) < 0 or at > len(data) - size:
        raise ArgumentOutOfRangeException("Offset and length must refer to a position in the string.\r\nParameter name: offset")  # fmt: skip
    return data[at : at + size]


def base64_part(data: bytearray | None, at: int, size: int) -> str:
    return base64_text(_piece(data, at, size))


def hex_string(data: bytearray | None) -> str:
    room(2 * len(data or b""))
    return _piece(data, 0, len(data or b"")).hex().upper()


def from_hex(text: str | None) -> bytearray:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    room(len(text))
    if len(text) % 2 or not re.fullmatch("[0-9a-fA-F]*", text):
        raise FormatException("The input is not a valid hex string as its length is not a multiple of 2." if len(text) % 2 else "The input is not a valid hex string as it contains a non-hex character.")  # fmt: skip
    return bytearray.fromhex(text)


def is_null(_value: Any) -> bool:
    """`IsDBNull`: there is none here."""
    return False


def _with_culture(run: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def convert(value: Any, _culture: Any) -> Any:
        return run(value)

    convert.__qualname__ = f"{run.__qualname__}_with_culture"
    return convert


def _named(name: str) -> str:
    return n.NET_NAMES.get(name, {"bool": "Boolean", "char": "Char"}.get(name, name))


_CONVERT: Final = tuple(
    (k, v) for k, v in CONVERTERS.items() if k not in ("DateTimeOffset", "Guid", "TimeSpan")
)

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Base64FormattingOptions",
        member("static Base64FormattingOptions None", const=Base64FormattingOptions.Nothing),
        member("static Base64FormattingOptions InsertLineBreaks", const=Base64FormattingOptions.InsertLineBreaks),
        kind="enum",
        python=Base64FormattingOptions,
        default=Base64FormattingOptions.Nothing,
    ),
    declare(
        "Convert",
        member("static object? ChangeType(object value, Type conversionType)", change_type_of),
        member("static object? ChangeType(object value, Type conversionType, IFormatProvider provider)", change_type_with_culture),
        *(member(f"static {name} To{_named(name)}(object value)", run) for name, run in _CONVERT),
        *(
            member(f"static {name} To{_named(name)}(object value, IFormatProvider provider)", _with_culture(run))
            for name, run in _CONVERT
        ),
        *(member(f"static {name} To{_named(name)}(string value, int fromBase)", _based(name)) for name in n.RANGES),
        member("static string ToString(object value)", to_text),
        member("static string? ToString(string value)", text_or_null),
        member("static string ToString(object value, IFormatProvider provider)", _with_culture(to_text)),
        *(member(f"static string ToString({name} value, int toBase)", _to_base(name)) for name in ("byte", "short", "int", "long")),
        member("static string ToBase64String(byte[] inArray)", base64_text),
        member("static string ToBase64String(byte[] inArray, Base64FormattingOptions options)", base64_lines),
        member("static string ToBase64String(byte[] inArray, int offset, int length)", base64_part),
        member("static byte[] FromBase64String(string s)", from_base64),
        member("static string ToHexString(byte[] inArray)", hex_string),
        member("static byte[] FromHexString(string s)", from_hex),
        member("static bool IsDBNull(object value)", is_null),
        kind="static",
    ),
)  # fmt: skip
