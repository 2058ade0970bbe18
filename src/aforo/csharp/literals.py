"""Literals of C#: numbers with their suffixes, escapes in strings and characters. It knows no grammar."""

from __future__ import annotations

import re
from decimal import Decimal

from aforo.csharp import diagnostics as say
from aforo.csharp.syntax import Literal
from aforo.source import Span

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{1,4})|(.)|$)", re.DOTALL)
_SIMPLE = {
    "'": "'", '"': '"', "\\": "\\", "0": "\0", "a": "\a", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip


def decode_string(text: str, span: Span) -> str:
    """The value of a regular string's inside. Raises Mistake on an escape that C# does not know."""
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        for digits in match.group(1, 2, 3):
            if digits is not None:
                code = int(digits, 16)
                if code > 0x10FFFF:
                    raise say.bad_literal(span, f"there is no character U+{digits}")
                return chr(code)
        known = _SIMPLE.get(match.group(4) or "")
        if known is None:
            raise say.bad_literal(span, f"`{match.group()}` is not an escape sequence of C#")
        return known

    decoded = _ESCAPE.sub(one, text)
    # A pair written as two escapes is one character.
    if any("\ud800" <= c <= "\udfff" for c in decoded):
        decoded = _join(decoded)
    return decoded


def _join(text: str) -> str:
    """Surrogate pairs joined, lone surrogates kept."""
    return re.sub(
        "([\ud800-\udbff])([\udc00-\udfff])",
        lambda m: chr(0x10000 + ((ord(m[1]) - 0xD800) << 10) + (ord(m[2]) - 0xDC00)),
        text,
    )


class Literals:
    """Reads numbers; the kind that a suffix or the size asks for is told."""

    def integer(self, text: str, secret: bool, span: Span) -> Literal:
        body = text.replace("_", "").lower()
        suffix = body[len(body.rstrip("ul")) :]
        digits = body.removesuffix(suffix)
        negative = digits.startswith("-")
        digits = digits.removeprefix("-")
        base = 16 if digits.startswith("0x") else 2 if digits.startswith("0b") else 10
        try:
            value = int(digits, base)
        except ValueError:
            raise say.bad_literal(span, f"`{text[:40]}` is not a number") from None
        value = -value if negative else value
        for kind, low, high in (
            ("int", -(2**31), 2**31 - 1),
            ("uint", 0, 2**32 - 1),
            ("long", -(2**63), 2**63 - 1),
            ("ulong", 0, 2**64 - 1),
        ):
            if low <= value <= high and _fits(kind, suffix):
                return Literal(kind, value, secret, span)
        raise say.bad_literal(span, f"`{text[:40]}` is too large for an integer")

    def real(self, text: str, secret: bool, span: Span) -> Literal:
        body = text.replace("_", "").lower()
        try:
            if body.endswith("m"):
                return Literal("decimal", Decimal(body[:-1]), secret, span)
            if body.endswith("f"):
                return Literal("float", float(body[:-1]), secret, span)
            return Literal("double", float(body.removesuffix("d")), secret, span)
        except (ValueError, ArithmeticError):
            raise say.bad_literal(span, f"`{text[:40]}` is not a number") from None


def _fits(kind: str, suffix: str) -> bool:
    if suffix in ("ul", "lu"):
        return kind == "ulong"
    if suffix == "l":
        return kind in ("long", "ulong")
    if suffix == "u":
        return kind in ("uint", "ulong")
    return True
