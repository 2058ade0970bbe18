"""Cultures: there is one, the invariant one. What formats and parses by a culture gives what it gives without."""

from __future__ import annotations

from enum import IntFlag
from typing import Any, Final

from aforo.csharp.runtime.exceptions import ArgumentNullException
from aforo.csharp.runtime.objects import Obj, format_value
from aforo.csharp.types import TypeDecl, declare, member

_GLOBAL: Final = "System.Globalization"


class Culture(Obj):
    __slots__ = ()
    net_name = "System.Globalization.CultureInfo"

    def text(self, _spec: str | None = None) -> str:
        return ""


class DateTimeStyles(IntFlag):
    Nothing = 0  # `None` in C#
    AllowLeadingWhite = 1
    AllowTrailingWhite = 2
    AllowInnerWhite = 4
    AllowWhiteSpaces = 7
    NoCurrentDateDefault = 8
    AdjustToUniversal = 16
    AssumeLocal = 32
    AssumeUniversal = 64
    RoundtripKind = 128


class NumberStyles(IntFlag):
    Nothing = 0  # `None` in C#
    AllowLeadingWhite = 1
    AllowTrailingWhite = 2
    AllowLeadingSign = 4
    Integer = 7
    AllowTrailingSign = 8
    AllowParentheses = 16
    AllowDecimalPoint = 32
    AllowThousands = 64
    Number = 111
    AllowExponent = 128
    Float = 167
    AllowCurrencySymbol = 256
    Currency = 383
    Any = 511
    AllowHexSpecifier = 512
    HexNumber = 515


INVARIANT: Final = Culture()


def culture_named(name: str | None) -> Culture:
    """Any name gives the invariant culture: gateways have no other."""
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: name")
    return INVARIANT


def culture_name(_culture: Culture) -> str:
    return ""


def formatted(value: Any, spec: str | None, _culture: Any) -> str:
    return format_value(value, spec)


def shown(value: Any, _culture: Any) -> str:
    return format_value(value, None)


def _flags(name: str, values: Any) -> TypeDecl:
    members = dict.fromkeys(values.__members__.items())
    return declare(
        name,
        *(
            member(f"static {name} {'None' if word == 'Nothing' else word}", const=value)
            for word, value in members
        ),
        namespace=_GLOBAL,
        kind="enum",
        python=values,
        default=values(0),
    )


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare("IFormatProvider", kind="interface", python=Culture),
    declare(
        "CultureInfo",
        member("static CultureInfo InvariantCulture", const=INVARIANT),
        member("static CultureInfo CurrentCulture", const=INVARIANT),
        member("new(string name)", culture_named),
        member("static CultureInfo GetCultureInfo(string name)", culture_named),
        member("string Name", culture_name),
        namespace=_GLOBAL,
        bases=("IFormatProvider",),
        python=Culture,
    ),
    _flags("DateTimeStyles", DateTimeStyles),
    _flags("NumberStyles", NumberStyles),
)
