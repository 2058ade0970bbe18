"""Enum, and what a value says of its type: `GetType()` gives names, nothing that leads further."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    NotSupportedException,
    NullReferenceException,
)
from aforo.csharp.runtime.formatting import number_text
from aforo.csharp.runtime.numbers import BOXES
from aforo.csharp.runtime.objects import Char, Obj, TypeInfo, enum_text, net_type_name
from aforo.csharp.types import TypeDecl, declare, member


class NetType(Obj):
    """`System.Type`, as far as its names go; `info` is what `typeof` knows. A value does not know its arguments."""

    __slots__ = ("head", "info", "name")
    net_name = "System.RuntimeType"

    def __init__(self, name: str, info: TypeInfo | None = None) -> None:
        self.name = name
        self.info = info
        # Without its arguments: `List`1[System.String][]` is `List`1[]`.
        opened, closed = name.find("`"), name.rfind("]]" if name.endswith("[]") else "]")
        args = name.find("[", opened)
        self.head = name if opened < 0 or args < 0 else name[:args] + name[closed + 1 :]

    def text(self, _spec: str | None = None) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NetType) or self.head != other.head:
            return False
        return self.name == other.name or self.head in (self.name, other.name)

    def __hash__(self) -> int:
        return hash(self.head)


def known(kind: NetType | None) -> TypeInfo:
    """What a `typeof` says of its type; a type that was asked of a value says nothing but its name."""
    if kind is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: type")
    if kind.info is None:
        raise NotSupportedException(f"Only a `typeof` can stand here, not the type of a value ({kind.name}).")
    return kind.info


def boxed(value: Any, info: TypeInfo) -> Any:
    """A value of the type as `object`."""
    box: Any = Char if info.name == "char" else BOXES.get(info.name)
    return value if box is None or value is None else box(value)


def type_of(value: Any) -> NetType:
    """`value.GetType()`"""
    if value is None:
        raise NullReferenceException
    return NetType(net_type_name(value))


def type_short(kind: NetType) -> str:
    return kind.head.rpartition(".")[2].rpartition("+")[2]


def type_full(kind: NetType) -> str:
    return kind.name


def type_space(kind: NetType) -> str:
    return kind.head.rpartition(".")[0]


# --- Enum -------------------------------------------------------------------------------------------------------------------


def _class(info: TypeInfo | None) -> Any:
    python = None if info is None else info.python
    if not isinstance(python, type) or not issubclass(python, (IntEnum, IntFlag)):
        raise ArgumentException("Type provided must be an Enum.\r\nParameter name: enumType")
    return python


def _parsed(info: TypeInfo | None, text: str | None, ignore_case: bool) -> Any:
    """The value, or None: names with commas between them, or a number."""
    python = _class(info)
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: value")
    total = 0
    for word in text.split(","):
        word = word.strip()
        digits = word.removeprefix("-").removeprefix("+")
        if digits.isascii() and digits.isdigit() and len(digits) < 19:
            total |= int(word)
            continue
        found = next((v for v in python.__members__.values() if _same(enum_text(v), word, ignore_case)), None)
        if found is None:
            return None
        total |= int(found)
    try:
        return python(total)
    except ValueError:
        return total


def _same(name: str, word: str, ignore_case: bool) -> bool:
    return name.lower() == word.lower() if ignore_case else name == word


def parse(info: TypeInfo, text: str | None, ignore_case: bool = False) -> Any:
    found = _parsed(info, text, ignore_case)
    if found is None:
        what = (
            "Must specify valid information for parsing in the string."
            if not (text or "").strip()
            else f"Requested value '{text}' was not found."
        )
        raise ArgumentException(what)
    return found


def try_parse(info: TypeInfo, text: str | None) -> tuple[bool, Any]:
    return try_parse_case(info, text, False)


def try_parse_case(info: TypeInfo, text: str | None, ignore_case: bool) -> tuple[bool, Any]:
    found = None if text is None else _parsed(info, text, ignore_case)
    return found is not None, info.default if found is None else found


def parse_type(kind: NetType | None, text: str | None, ignore_case: bool = False) -> Any:
    """`Enum.Parse(typeof(T), text)`"""
    if kind is None or kind.info is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: enumType")
    return parse(kind.info, text, ignore_case)


def is_defined(kind: NetType, value: Any) -> bool:
    python = _class(kind.info)
    if isinstance(value, str):
        return any(enum_text(v) == value for v in python)
    return any(int(v) == int(value) for v in python)


def name_of(kind: NetType, value: Any) -> str | None:
    return next((enum_text(v) for v in _class(kind.info) if int(v) == int(value)), None)


def names_of(kind: NetType) -> list[str]:
    return [enum_text(v) for v in _class(kind.info)]


def values_of(kind: NetType) -> list[Any]:
    return sorted(_class(kind.info), key=lambda v: int(v) & 0xFFFFFFFF)


def enum_of(kind: NetType, value: int) -> Any:
    python = _class(kind.info)
    try:
        return python(value)
    except ValueError:
        return value


def has_flag(value: Any, flag: Any) -> bool:
    return int(value) & int(flag) == int(flag)


def formatted(value: Any, spec: str | None) -> str:
    if not spec or spec in "gGfF":
        return enum_text(value)
    return f"{int(value) & 0xFFFFFFFF:08X}" if spec in "xX" else number_text(int(value), "D")


def format_of(_kind: NetType, value: Any, spec: str | None) -> str:
    return formatted(value, spec)


def compare(value: Any, other: Any) -> int:
    return int(int(value) > int(other)) - int(int(value) < int(other))


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Enum",
        member("static T Parse<T>(string value)", parse, typed=True),
        member("static T Parse<T>(string value, bool ignoreCase)", parse, typed=True),
        member("static bool TryParse<T>(string value, out T result)", try_parse, typed=True),
        member(
            "static bool TryParse<T>(string value, bool ignoreCase, out T result)", try_parse_case, typed=True
        ),
        member("static object Parse(Type enumType, string value)", parse_type),
        member("static object Parse(Type enumType, string value, bool ignoreCase)", parse_type),
        member("static bool IsDefined(Type enumType, object value)", is_defined),
        member("static string? GetName(Type enumType, object value)", name_of),
        member("static string[] GetNames(Type enumType)", names_of),
        member("static object[] GetValues(Type enumType)", values_of),
        member("static object ToObject(Type enumType, int value)", enum_of),
        member("static string Format(Type enumType, object value, string format)", format_of),
        member("bool HasFlag(object flag)", has_flag),
        member("string ToString(string format)", formatted),
        member("int CompareTo(object target)", compare),
    ),
    declare(
        "Type",
        member("string Name", type_short),
        member("string FullName", type_full),
        member("string Namespace", type_space),
        python=NetType,
    ),
    declare("TypeNames", member("static Type GetType(this object value)", type_of), kind="static"),
)
