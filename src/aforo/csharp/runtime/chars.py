"""System.Char: one UTF-16 unit, its Unicode category and its code."""

from __future__ import annotations

import unicodedata
from typing import Final

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


_CHAR_TESTS: Final = (
    ("IsDigit", is_digit), ("IsNumber", str.isnumeric), ("IsLetter", is_letter), ("IsLetterOrDigit", is_letter_or_digit),
    ("IsWhiteSpace", is_white_space), ("IsUpper", is_upper), ("IsLower", is_lower), ("IsPunctuation", is_punctuation),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "char",
        *(member(f"static bool {name}(char c)", run) for name, run in _CHAR_TESTS),
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
