"""StringBuilder: text that grows in pieces, its size checked before each one."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.collections import array_copy_from, each
from aforo.csharp.runtime.exceptions import (
    ArgumentOutOfRangeException,
    IndexOutOfRangeException,
    given,
)
from aforo.csharp.runtime.limits import room
from aforo.csharp.runtime.objects import Obj, to_string
from aforo.csharp.runtime.strings import (
    from_chars,
    in_units,
    join,
    joined_units,
    length,
    repeat,
    replace,
    string_format,
    substring,
)
from aforo.csharp.types import TypeDecl, declare, member


class StringBuilder(Obj):
    __slots__ = ("parts", "size")
    net_name = "System.Text.StringBuilder"

    def __init__(self, text: str | None = None) -> None:
        self.parts = [text or ""]
        self.size = len(text or "")

    def text(self, _spec: str | None = None) -> str:
        if len(self.parts) > 1:
            room(self.size)
            self.parts = ["".join(self.parts)]
        return self.parts[0]


def builder_append(builder: StringBuilder, value: Any) -> StringBuilder:
    text = to_string(value)
    room(len(text))
    builder.size += len(text)
    if text:
        builder.parts.append(text)
    return builder


def builder_append_line(builder: StringBuilder, value: str | None = "") -> StringBuilder:
    return builder_append(builder_append(builder, value), "\r\n")


def builder_append_format(builder: StringBuilder, template: str, args: list[Any]) -> StringBuilder:
    return builder_append(builder, string_format(template, args))


def builder_replace(builder: StringBuilder, old: str, new: str | None) -> StringBuilder:
    text = replace(builder.text(), old, new)
    builder.parts, builder.size = [text], len(text)
    return builder


def builder_insert(builder: StringBuilder, at: int, value: Any) -> StringBuilder:
    text, piece = builder.text(), to_string(value)
    if not 0 <= at <= len(text):
        raise ArgumentOutOfRangeException
    room(len(text) + len(piece))
    builder.parts, builder.size = [text[:at] + piece + text[at:]], len(text) + len(piece)
    return builder


def sized_builder(_capacity: int) -> StringBuilder:
    return StringBuilder()


def filled_builder(text: str | None, _capacity: int) -> StringBuilder:
    return StringBuilder(text)


def _units(builder: StringBuilder, at: int, size: int) -> str:
    """The text in units of UTF-16, and whether a part of it exists."""
    units = in_units(builder.text())
    if min(at, size) < 0 or at > len(units) - size:
        raise ArgumentOutOfRangeException(
            "Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index"
        )
    return units


def _put(builder: StringBuilder, units: str) -> StringBuilder:
    room(len(units))
    text = joined_units(units)
    builder.parts, builder.size = [text], len(text)
    return builder


def builder_append_part(builder: StringBuilder, value: str | None, at: int, size: int) -> StringBuilder:
    return builder_append(builder, substring(value or "", at, size))


def builder_append_chars(builder: StringBuilder, value: str, times: int) -> StringBuilder:
    return builder_append(builder, repeat(value, times))


def builder_append_array(builder: StringBuilder, values: list[str] | None) -> StringBuilder:
    return builder_append(builder, from_chars(values))


def builder_join(builder: StringBuilder, separator: str | None, values: Any) -> StringBuilder:
    return builder_append(builder, join(separator, each(values)))


def builder_remove(builder: StringBuilder, at: int, size: int) -> StringBuilder:
    units = _units(builder, at, size)
    return _put(builder, units[:at] + units[at + size :])


def builder_replace_part(
    builder: StringBuilder, old: str, new: str | None, at: int, size: int
) -> StringBuilder:
    units = _units(builder, at, size)
    text = builder.text()
    inner = replace(substring(text, at, size), old, new)
    return _put(builder, units[:at] + inner + units[at + size :])


def builder_part(builder: StringBuilder, at: int, size: int) -> str:
    _units(builder, at, size)
    return substring(builder.text(), at, size)


def builder_copy(builder: StringBuilder, at: int, target: Any, to: int, size: int) -> None:
    units = list(_units(builder, at, size)[at : at + size])
    array_copy_from(units, 0, given(target, "destination"), to, size)


def ensure_capacity(builder: StringBuilder, size: int) -> int:
    if size < 0:
        raise ArgumentOutOfRangeException(
            "Capacity must be greater than or equal to zero.\r\nParameter name: capacity"
        )
    return max(builder_capacity(builder), size)


def builder_at(builder: StringBuilder, at: int) -> str:
    if not 0 <= at < len(_units(builder, 0, 0)):
        raise IndexOutOfRangeException
    return _units(builder, at, 1)[at]


def builder_put(builder: StringBuilder, at: int, value: str) -> None:
    if not 0 <= at < len(_units(builder, 0, 0)):
        raise ArgumentOutOfRangeException("Index was out of range. Must be non-negative and less than the size of the collection.\r\nParameter name: index")  # fmt: skip
    units = _units(builder, at, 1)
    _put(builder, units[:at] + value + units[at + 1 :])


def set_builder_length(builder: StringBuilder, size: int) -> None:
    """Shorter, or filled with NUL characters."""
    if size < 0:
        raise ArgumentOutOfRangeException("Length cannot be less than zero.\r\nParameter name: value")
    room(size)
    units = _units(builder, 0, 0)
    _put(builder, units[:size] + "\0" * max(0, size - len(units)))


def set_builder_capacity(builder: StringBuilder, value: int) -> None:
    """There is no room to set aside; too little of it is refused."""
    if value < builder.size:
        raise ArgumentOutOfRangeException("capacity was less than the current size.\r\nParameter name: value")


def builder_capacity(builder: StringBuilder) -> int:
    capacity = 16
    while capacity < builder.size:
        capacity *= 2
    return capacity


def max_capacity(_builder: StringBuilder) -> int:
    return 2**31 - 1


def builder_equals(builder: StringBuilder, other: StringBuilder | None) -> bool:
    return other is not None and builder.text() == other.text()


def builder_length(builder: StringBuilder) -> int:
    return length(builder.text())


def builder_clear(builder: StringBuilder) -> StringBuilder:
    builder.parts, builder.size = [""], 0
    return builder


def empty_builder() -> StringBuilder:
    return StringBuilder()


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "StringBuilder",
        member("new()", empty_builder),
        member("new(string value)", StringBuilder),
        member("StringBuilder Append(object value)", builder_append),
        member("StringBuilder AppendLine()", builder_append_line),
        member("StringBuilder AppendLine(string value)", builder_append_line),
        member("StringBuilder AppendFormat(string format, params object[] args)", builder_append_format),
        member("StringBuilder Replace(string oldValue, string newValue)", builder_replace),
        member("StringBuilder Insert(int index, object value)", builder_insert),
        member("StringBuilder Clear()", builder_clear),
        member("new(int capacity)", sized_builder),
        member("new(string value, int capacity)", filled_builder),
        member("StringBuilder Append(string value, int startIndex, int count)", builder_append_part),
        member("StringBuilder Append(char value, int repeatCount)", builder_append_chars),
        member("StringBuilder Append(char[] value)", builder_append_array),
        member("StringBuilder AppendJoin<T>(string separator, IEnumerable<T> values)", builder_join),
        member("StringBuilder Remove(int startIndex, int length)", builder_remove),
        member("StringBuilder Replace(char oldChar, char newChar)", builder_replace),
        member(
            "StringBuilder Replace(string oldValue, string newValue, int startIndex, int count)",
            builder_replace_part,
        ),
        member("string ToString(int startIndex, int length)", builder_part),
        member("char this[int index]", builder_at, store=builder_put),
        member(
            "void CopyTo(int sourceIndex, char[] destination, int destinationIndex, int count)", builder_copy
        ),
        member("int EnsureCapacity(int capacity)", ensure_capacity),
        member("int MaxCapacity", max_capacity),
        member("int Capacity", builder_capacity, store=set_builder_capacity),
        member("bool Equals(StringBuilder sb)", builder_equals),
        member("int Length", builder_length, store=set_builder_length),
        namespace="System.Text",
        python=StringBuilder,
    ),
)
