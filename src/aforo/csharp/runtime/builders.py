"""StringBuilder: text that grows in pieces, its size checked before each one."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.exceptions import ArgumentOutOfRangeException
from aforo.csharp.runtime.limits import room
from aforo.csharp.runtime.objects import Obj, to_string
from aforo.csharp.runtime.strings import replace, string_format
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


def builder_length(builder: StringBuilder) -> int:
    return builder.size


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
        member("int Length", builder_length),
        namespace="System.Text",
        python=StringBuilder,
    ),
)
