"""What expressions see of numbers and bool: declarations over numbers.py; styles and cultures when parsing."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

from aforo.csharp.runtime import maths
from aforo.csharp.runtime import numbers as n
from aforo.csharp.runtime.cultures import formatted, shown
from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    CsException,
    FormatException,
    OverflowException,
)
from aforo.csharp.types import Declared, TypeDecl, declare, member

_HEX: Final = 512
_THOUSANDS: Final = 64
_DECIMAL_POINT: Final = 32
_EXPONENT: Final = 128


def _styled(text: str | None, styles: int, *, whole: bool) -> str:
    """The text as the plain parsers read it: what the styles allow beyond that is taken away."""
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    out = text.strip() if styles & 3 else text
    if styles & 16 and out.startswith("(") and out.endswith(")"):
        out = "-" + out[1:-1]
    if styles & 256:
        out = out.replace("\u00a4", "", 1)
    if styles & 8 and out[-1:] in ("-", "+"):
        out = out[-1] + out[:-1]
    if styles & _THOUSANDS:
        lead, point, rest = out.partition(".")
        out = lead.replace(",", "") + point + rest
    elif "," in out:
        raise FormatException
    if (
        not styles & _EXPONENT
        and re.search("[eE]", out)
        and out.lower().lstrip("+-") not in ("nan", "infinity")
    ):
        raise FormatException
    if "." in out and not styles & _DECIMAL_POINT:
        raise FormatException
    if whole and "." in out and re.fullmatch(r"[+-]?\d+\.0*", out):
        out = out.partition(".")[0]
    return out


def _hexadecimal(text: str | None, name: str) -> int:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    digits = text.strip()
    if not re.fullmatch("[0-9a-fA-F]+", digits):
        raise FormatException
    value = int(digits[-64:], 16)
    low, high = n.RANGES[name]
    if len(digits.lstrip("0")) > (high - low).bit_length() // 4:
        raise OverflowException(f"Value was either too large or too small for an {n.NET_NAMES[name]}.")
    return value - (high - low + 1) if value > high else value


def _parsers(name: str) -> tuple[Declared, ...]:
    """`Parse` and `TryParse` with styles and a culture."""
    whole = name in n.RANGES
    default: Any = 0 if whole else Decimal(0) if name == "decimal" else 0.0

    def plain(text: str | None) -> Any:
        if whole:
            return n.parse_integer(text, name)
        return n.parse_decimal(text) if name == "decimal" else n.parse_double(text)

    def by_culture(text: str | None, _culture: Any) -> Any:
        return plain(text)

    def by_style(text: str | None, styles: int, _culture: Any = None) -> Any:
        if int(styles) & _HEX and whole:
            return _hexadecimal(text, name)
        return plain(_styled(text, int(styles), whole=whole))

    def attempt(text: str | None, styles: int, culture: Any) -> tuple[bool, Any]:
        try:
            return True, by_style(text, styles, culture)
        except CsException:
            return False, default

    for run in (by_culture, by_style, attempt):
        run.__qualname__ = f"{run.__name__}_{name}"
    return (
        member(f"static {name} Parse(string s, IFormatProvider provider)", by_culture),
        member(f"static {name} Parse(string s, NumberStyles style)", by_style),
        member(f"static {name} Parse(string s, NumberStyles style, IFormatProvider provider)", by_style),
        member(
            f"static bool TryParse(string s, NumberStyles style, IFormatProvider provider, out {name} result)",
            attempt,
        ),
        member("string ToString(IFormatProvider provider)", shown),
        member("string ToString(string format, IFormatProvider provider)", formatted),
    )


def is_positive_infinity(value: float) -> bool:
    return value == math.inf


def is_negative_infinity(value: float) -> bool:
    return value == -math.inf


def negate(value: Decimal) -> Decimal:
    return -value


def bits_of(value: Decimal) -> list[int]:
    """`decimal.GetBits`: low, middle, high, and sign with scale."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits))) * 10 ** max(0, exponent)
    parts = [(whole >> shift) & 0xFFFFFFFF for shift in (0, 32, 64)]
    parts.append((max(0, -exponent) << 16) | (sign << 31))
    return [p - 2**32 if p >= 2**31 else p for p in parts]


def _casts() -> tuple[Declared, ...]:
    out = []
    for name in (*n.RANGES, "double", "float"):

        def run(value: Decimal, target: str = name) -> Any:
            if target in n.RANGES:
                return n.checked(int(value), target)
            return float(value) if target == "double" else n.to_single(float(value))

        run.__qualname__ = f"decimal_to_{name}"
        out.append(member(f"static {name} To{n.NET_NAMES[name]}(decimal value)", run))
    return tuple(out)


_DECIMAL: Final = (
    member("static decimal MinusOne", const=Decimal(-1)),
    *(
        member(f"static decimal {name}(decimal d1, decimal d2)", run)
        for name, run in (
            ("Add", n.add_decimal), ("Subtract", n.subtract_decimal), ("Multiply", n.multiply_decimal),
            ("Divide", n.divide_decimal), ("Remainder", n.remainder_decimal),
        )
    ),
    *(
        member(f"static decimal {name}(decimal d)", run)
        for name, run in (
            ("Floor", maths.floor), ("Ceiling", maths.ceiling), ("Truncate", maths.truncate), ("Round", maths.round_to),
            ("Negate", negate),
        )
    ),
    member("static decimal Round(decimal d, int decimals)", maths.round_to),
    member("static decimal Round(decimal d, MidpointRounding mode)", maths.round_mode),
    member("static decimal Round(decimal d, int decimals, MidpointRounding mode)", maths.round_to),
    member("static int Compare(decimal d1, decimal d2)", n.compare),
    member("static bool Equals(decimal d1, decimal d2)", n.same),
    member("static int[] GetBits(decimal d)", bits_of),
    *_casts(),
)  # fmt: skip


def _integral(name: str) -> tuple[Declared, ...]:
    low, high = n.RANGES[name]

    def parse(text: str | None) -> int:
        return n.parse_integer(text, name)

    def attempt(text: str | None) -> tuple[bool, int]:
        return n.try_parse(parse, text, 0)

    parse.__qualname__ = f"parse_{name}"
    attempt.__qualname__ = f"try_parse_{name}"
    return (
        member(f"static {name} MaxValue", const=high),
        member(f"static {name} MinValue", const=low),
        member(f"static {name} Parse(string s)", parse),
        member(f"static bool TryParse(string s, out {name} result)", attempt),
        member(f"int CompareTo({name} value)", n.compare),
        member(f"bool Equals({name} obj)", n.same),
    )


def try_parse_double(text: str | None) -> tuple[bool, float]:
    return n.try_parse(n.parse_double, text, 0.0)


def try_parse_decimal(text: str | None) -> tuple[bool, Decimal]:
    return n.try_parse(n.parse_decimal, text, Decimal(0))


def try_parse_bool(text: str | None) -> tuple[bool, bool]:
    return n.try_parse(n.parse_bool, text, False)


def _number(name: str, default: Any, *more: Declared) -> TypeDecl:
    return declare(
        name,
        *more,
        *_parsers(name),
        kind="struct",
        python=n.CLASSES[name],
        aliases=(n.NET_NAMES[name],),
        default=default,
    )


TYPES: Final[tuple[TypeDecl, ...]] = (
    *(_number(name, 0, *_integral(name)) for name in n.RANGES),
    *(
        _number(
            name,
            0.0,
            member(
                f"static {name} MaxValue",
                const=1.7976931348623157e308 if name == "double" else 3.4028234663852886e38,
            ),
            member(
                f"static {name} MinValue",
                const=-1.7976931348623157e308 if name == "double" else -3.4028234663852886e38,
            ),
            member(f"static {name} NaN", const=math.nan),
            member(f"static {name} PositiveInfinity", const=math.inf),
            member(f"static {name} NegativeInfinity", const=-math.inf),
            member(f"static {name} Parse(string s)", n.parse_double),
            member(f"static bool TryParse(string s, out {name} result)", try_parse_double),
            member(f"static {name} Epsilon", const=5e-324 if name == "double" else 1.401298464324817e-45),
            member(f"static bool IsPositiveInfinity({name} d)", is_positive_infinity),
            member(f"static bool IsNegativeInfinity({name} d)", is_negative_infinity),
            member(f"static bool IsNaN({name} d)", math.isnan),
            member(f"static bool IsInfinity({name} d)", math.isinf),
            member(f"int CompareTo({name} value)", n.compare),
            member(f"bool Equals({name} obj)", n.same),
        )
        for name in ("double", "float")
    ),
    _number(
        "decimal",
        Decimal(0),
        *_DECIMAL,
        member("static decimal Zero", const=Decimal(0)),
        member("static decimal One", const=Decimal(1)),
        member("static decimal MaxValue", const=Decimal(79228162514264337593543950335)),
        member("static decimal MinValue", const=Decimal(-79228162514264337593543950335)),
        member("static decimal Parse(string s)", n.parse_decimal),
        member("static bool TryParse(string s, out decimal result)", try_parse_decimal),
        member("int CompareTo(decimal value)", n.compare),
        member("bool Equals(decimal obj)", n.same),
    ),
    declare(
        "bool",
        member("static bool Parse(string value)", n.parse_bool),
        member("static bool TryParse(string value, out bool result)", try_parse_bool),
        member("static string TrueString", const="True"),
        member("static string FalseString", const="False"),
        member("bool Equals(bool obj)", n.same),
        member("int CompareTo(bool value)", n.compare),
        kind="struct",
        python=bool,
        aliases=("Boolean",),
        default=False,
    ),
    declare(
        "Nullable<T>",
        member("T Value", n.nullable_value),
        member("bool HasValue", n.has_value),
        member("T GetValueOrDefault(T defaultValue)", n.value_or),
        kind="struct",
    ),
)
