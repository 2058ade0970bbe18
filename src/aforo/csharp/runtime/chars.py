"""System.Char: one UTF-16 unit, its Unicode category and its code."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    ArgumentOutOfRangeException,
    FormatException,
)
from aforo.csharp.runtime.objects import Char
from aforo.csharp.runtime.strings import identity, to_lower, to_upper
from aforo.csharp.types import TypeDecl, declare, member


def is_digit(c: str) -> bool:
    return unicodedata.category(c) == "Nd"


def is_letter(c: str) -> bool:
    return unicodedata.category(c).startswith("L")


def is_letter_or_digit(c: str) -> bool:
    return is_letter(c) or is_digit(c)


def is_white_space(c: str) -> bool:
    return c.isspace()


def is_upper(c: str) -> bool:
    return unicodedata.category(c) == "Lu"


def is_lower(c: str) -> bool:
    return unicodedata.category(c) == "Ll"


def is_punctuation(c: str) -> bool:
    return unicodedata.category(c).startswith("P")


def char_code(c: str) -> int:
    return ord(c)


def from_code(code: int) -> str:
    return chr(code & 0xFFFF)


def same_text(left: str, right: str) -> bool:
    return left == right


def is_control(c: str) -> bool:
    return unicodedata.category(c) == "Cc"


def is_symbol(c: str) -> bool:
    return unicodedata.category(c).startswith("S")


def is_separator(c: str) -> bool:
    return unicodedata.category(c).startswith("Z")


def is_surrogate(c: str) -> bool:
    return 0xD800 <= ord(c) < 0xE000


def numeric_value(c: str) -> float:
    return float(unicodedata.numeric(c, -1.0))


def parse_char(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    if len(text) != 1 or ord(text) > 0xFFFF:
        raise FormatException("String must be exactly one character long.")
    return text


def try_parse_char(text: str | None) -> tuple[bool, str]:
    fits = text is not None and len(text) == 1 and ord(text) <= 0xFFFF
    return (True, text or "") if fits else (False, "\0")


def from_code_point(code: int) -> str:
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ArgumentOutOfRangeException(
            "A valid UTF32 value is between 0x000000 and 0x10ffff, inclusive, and should not include surrogate codepoint values (0x00d800 ~ 0x00dfff).\r\nParameter name: utf32"
        )
    return chr(code)


def compare_char(left: str, right: str) -> int:
    return ord(left) - ord(right)


def is_high_surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udbff"


def is_low_surrogate(char: str) -> bool:
    return "\udc00" <= char <= "\udfff"


def is_pair(high: str, low: str) -> bool:
    return is_high_surrogate(high) and is_low_surrogate(low)


def code_point(high: str, low: str) -> int:
    if not is_pair(high, low):
        raise ArgumentOutOfRangeException(
            "A valid high surrogate character is between 0xd800 and 0xdbff, inclusive.\r\nParameter name: highSurrogate"
        )
    return 0x10000 + (ord(high) - 0xD800) * 0x400 + ord(low) - 0xDC00


def _at(run: Callable[[str], bool]) -> Callable[[str | None, int], bool]:
    """The same question about a character of a string."""

    def ask(text: str | None, index: int) -> bool:
        from aforo.csharp.runtime.strings import char_at

        if text is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
        return run(char_at(text, index))

    ask.__qualname__ = f"{run.__qualname__.replace('.', '_')}_at"
    return ask


_CHAR_TESTS: Final = (
    ("IsDigit", is_digit), ("IsNumber", str.isnumeric), ("IsLetter", is_letter), ("IsLetterOrDigit", is_letter_or_digit),
    ("IsWhiteSpace", is_white_space), ("IsUpper", is_upper), ("IsLower", is_lower), ("IsPunctuation", is_punctuation),
    ("IsControl", is_control), ("IsSymbol", is_symbol), ("IsSeparator", is_separator), ("IsSurrogate", is_surrogate),
    ("IsHighSurrogate", is_high_surrogate), ("IsLowSurrogate", is_low_surrogate),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "char",
        *(member(f"static bool {name}(char c)", run) for name, run in _CHAR_TESTS),
        *(member(f"static bool {name}(string s, int index)", _at(run)) for name, run in _CHAR_TESTS),
        member("static double GetNumericValue(char c)", numeric_value),
        member("static bool IsSurrogatePair(char highSurrogate, char lowSurrogate)", is_pair),
        member("static int ConvertToUtf32(char highSurrogate, char lowSurrogate)", code_point),
        member("static char Parse(string s)", parse_char),
        member("static bool TryParse(string s, out char result)", try_parse_char),
        member("static char MaxValue", const="\uffff"),
        member("static char MinValue", const="\0"),
        member("static string ConvertFromUtf32(int utf32)", from_code_point),
        member("static string ToString(char c)", identity),
        member("int CompareTo(char value)", compare_char),
        member("static char ToLower(char c)", to_lower),
        member("static char ToUpper(char c)", to_upper),
        member("static char ToLowerInvariant(char c)", to_lower),
        member("static char ToUpperInvariant(char c)", to_upper),
        member("string ToString()", identity),
        member("bool Equals(char obj)", same_text),
        kind="struct",
        python=Char,
        aliases=("Char",),
        default="\0",
    ),
)
