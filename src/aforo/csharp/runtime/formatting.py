"""Text forms of numbers and composite formats, in the invariant culture. Sizes are checked before they are made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from aforo.csharp.runtime.exceptions import FormatException
from aforo.csharp.runtime.limits import room, work

_STANDARD: Final = re.compile(r"([A-Za-z])([0-9]{0,9})\Z")


def double_text(value: float) -> str:
    """The shortest text that reads back as the same double (or Single), with .NET's exponents."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)  # digits before the decimal point
    minus = "-" if sign else ""
    if -4 < point <= getattr(value, "plain", 15):
        if point <= 0:
            return f"{minus}0.{'0' * -point}{text}"
        if point >= len(text):
            return minus + text + "0" * (point - len(text))
        return f"{minus}{text[:point]}.{text[point:]}"
    power = point - 1
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{minus}{mantissa}E{'+' if power >= 0 else '-'}{abs(power):02d}"


def decimal_text(value: Decimal) -> str:
    return f"{value:f}"


def number_text(value: Any, spec: str | None) -> str:
    """`ToString(spec)` of an integer, double or decimal."""
    if not spec:
        if isinstance(value, int):
            return str(int(value))
        return decimal_text(value) if isinstance(value, Decimal) else double_text(value)
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value)):
        return double_text(value)
    match = _STANDARD.match(spec)
    if match is None:
        return _custom(value, spec)
    letter, digits = match[1], int(match[2]) if match[2] else None
    if digits is not None:
        if digits > 999_999_999:
            raise FormatException("Format specifier was invalid.")
        room(digits)
    run = _FORMS.get(letter.upper())
    if run is None:
        raise FormatException("Format specifier was invalid.")
    return run(value, digits, letter)


# As many digits as any double has, in front of the point and behind it.
_WIDE: Final = Context(prec=1500, rounding=ROUND_HALF_UP)


def _shortest(value: Any) -> Decimal:
    """A double as it is written: custom formats see no more digits of it."""
    return Decimal(repr(float(value))) if isinstance(value, float) else Decimal(value)


def _rounded(value: Any, digits: int, shift: int = 0) -> tuple[str, str, str]:
    """(sign, whole digits, fraction digits), rounded half away from zero: of all the digits that a double has, which
    keeps its sign where nothing else is left of it. `shift` moves the point to the right."""
    exact = value if isinstance(value, Decimal) else Decimal(value)
    if shift:
        exact = exact.scaleb(shift, _WIDE)
    rounded = exact.quantize(Decimal(1).scaleb(-min(digits, 400)), context=_WIDE)
    whole, _, fraction = f"{rounded.copy_abs():f}".partition(".")
    signed = math.copysign(1, value) < 0 if isinstance(value, float) else rounded < 0
    return ("-" if signed else ""), whole, fraction


def _fixed(value: Any, digits: int | None, _letter: str) -> str:
    want = 2 if digits is None else digits
    sign, whole, fraction = _rounded(value, want)
    fraction = fraction.ljust(want, "0")
    return sign + whole + ("." + fraction if want else "")


def _grouped(value: Any, digits: int | None, _letter: str, shift: int = 0) -> str:
    want = 2 if digits is None else digits
    sign, whole, fraction = _rounded(value, want, shift)
    fraction = fraction.ljust(want, "0")
    return sign + f"{int(whole):,}" + ("." + fraction if want else "")


def _currency(value: Any, digits: int | None, letter: str) -> str:
    text = _grouped(value, digits, letter)
    return f"(\u00a4{text[1:]})" if text.startswith("-") else f"\u00a4{text}"


def _percent(value: Any, digits: int | None, letter: str) -> str:
    return _grouped(value, digits, letter, 2) + " %"


def _whole(value: Any, digits: int | None, _letter: str) -> str:
    if not isinstance(value, int):
        raise FormatException("Format specifier was invalid.")
    text = str(abs(int(value))).rjust(digits or 0, "0")
    return ("-" if value < 0 else "") + text


def _hex(value: Any, digits: int | None, letter: str) -> str:
    if not isinstance(value, int):
        raise FormatException("Format specifier was invalid.")
    number = int(value)
    if number < 0:
        number += 1 << (64 if type(value).__name__ == "Int64" or number < -(2**31) else 32)
    text = f"{number:x}" if letter == "x" else f"{number:X}"
    return text.rjust(digits or 0, "0")


def _scientific(value: Any, digits: int) -> str:
    """`d.ddde+x` with so many digits behind the point."""
    exact = value if isinstance(value, Decimal) else Decimal(value)
    if not exact:
        return f"{0.0:.{digits}e}"
    return f"{exact.normalize(Context(prec=digits + 1, rounding=ROUND_HALF_UP)):.{digits}e}"


def _exponent(value: Any, digits: int | None, letter: str) -> str:
    want = min(6 if digits is None else digits, 400)
    mantissa, _, power = _scientific(value, want).partition("e")
    return f"{mantissa}{letter}{'-' if power.startswith('-') else '+'}{abs(int(power)):03d}"


def _general(value: Any, digits: int | None, letter: str) -> str:
    if not digits:
        return number_text(value, None)
    mantissa, _, power_text = _scientific(value, min(digits, 400) - 1).partition("e")
    power = int(power_text)
    if -5 < power < digits:
        return f"{Decimal(mantissa + 'e' + power_text).normalize():f}"
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    e = "E" if letter == "G" else "e"
    return f"{mantissa}{e}{'-' if power < 0 else '+'}{abs(power):02d}"


def _round_trip(value: Any, _digits: int | None, _letter: str) -> str:
    return number_text(value, None)


_FORMS: Final[dict[str, Callable[[Any, int | None, str], str]]] = {
    "F": _fixed, "N": _grouped, "C": _currency, "P": _percent, "D": _whole, "X": _hex, "E": _exponent,
    "G": _general, "R": _round_trip,
}  # fmt: skip


def _custom(value: Any, spec: str) -> str:
    """A custom format: `0`, `#`, `.`, `,` between digits, `%`, quoted text, sections for negative and zero."""
    if len(spec) > 255:
        work(len(spec))  # each of its characters is looked at several times
    sections = _split_sections(spec)
    exact = _shortest(value)
    section, negative = sections[0], exact < 0
    if exact == 0 and len(sections) > 2:
        section = sections[2]
    elif negative and len(sections) > 1 and sections[1]:
        section, exact, negative = sections[1], -exact, False
    tokens = _custom_tokens(section)
    if any(k == "text%" for k, _ in tokens):
        exact *= 100
    point = next((i for i, (k, _) in enumerate(tokens) if k == "."), len(tokens))
    places = [i for i, (k, _) in enumerate(tokens) if k in "0#"]
    after = [i for i in places if i > point]
    before = [i for i in places if i < point]
    grouped = any(k == "," for k, _ in tokens[: point + 1]) and len(before) > 0
    sign, whole, fraction = _rounded(exact, len(after))
    zeros = [i for i in before if tokens[i][0] == "0"]
    needed = len(before) - before.index(zeros[0]) if zeros else 0
    whole = whole.lstrip("0").rjust(needed, "0")
    fraction = fraction.ljust(len(after), "0")
    last_zero = max((n for n, i in enumerate(after) if tokens[i][0] == "0"), default=-1) + 1
    kept = max(len(fraction.rstrip("0")), last_zero)
    fraction = fraction[:kept]
    if grouped and whole:
        width = len(whole)
        whole = "".join(
            d + ("," if (width - n - 1) % 3 == 0 and n != width - 1 else "") for n, d in enumerate(whole)
        )
    out: list[str] = ["-"] if negative and (whole.strip("0,") or fraction.strip("0")) else []
    wrote_whole = not before
    at_fraction = 0
    for i, (kind, text) in enumerate(tokens):
        if kind.startswith("text"):
            out.append(text)
        elif kind in "0#" and i < point:
            if not wrote_whole:
                out.append(whole)
                wrote_whole = True
        elif kind == ".":
            if not wrote_whole:
                out.append(whole)
                wrote_whole = True
            if fraction:
                out.append(".")
        elif kind in "0#":
            if at_fraction < len(fraction):
                out.append(fraction[at_fraction])
            at_fraction += 1
    del sign
    return "".join(out)


def _split_sections(spec: str) -> list[str]:
    out, now, quote = [], "", ""
    at = 0
    while at < len(spec):
        c = spec[at]
        if c == "\\" and at + 1 < len(spec):
            now += spec[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c == ";":
            out.append(now)
            now = ""
            at += 1
            continue
        now += c
        at += 1
    return [*out, now]


def _custom_tokens(section: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    at, seen_point = 0, False
    while at < len(section):
        c = section[at]
        if c in "0#":
            out.append((c, c))
        elif c == "." and not seen_point:
            seen_point = True
            out.append((".", "."))
        elif c == ".":
            pass
        elif c == ",":
            out.append((",", ","))
        elif c == "%":
            out.append(("text%", "%"))
        elif c in "'\"":
            end = section.find(c, at + 1)
            end = len(section) if end < 0 else end
            out.append(("text", section[at + 1 : end]))
            at = end
        elif c == "\\" and at + 1 < len(section):
            at += 1
            out.append(("text", section[at]))
        else:
            out.append(("text", c))
        at += 1
    return out


_HOLE: Final = re.compile(r"([0-9]{1,7})\s*(?:,\s*(-?[0-9]{1,7})\s*)?(?::((?:[^{}]|\{\{|\}\})*))?\}")


def composite(template: str, args: list[Any], text_of: Callable[[Any, str | None], str]) -> str:
    """`string.Format`: `{index,alignment:format}` with doubled braces as themselves."""
    out: list[str] = []
    at = 0
    while at < len(template):
        c = template[at]
        if c == "{" or c == "}":
            if template.startswith(c * 2, at):
                piece, at = c, at + 2
            elif c == "}":
                raise FormatException
            else:
                match = _HOLE.match(template, at + 1)
                if match is None:
                    raise FormatException
                index = int(match[1])
                if index >= len(args):
                    raise FormatException(
                        "Index (zero based) must be greater than or equal to zero and less than the size of the argument list."
                    )
                spec = match[3]
                piece = aligned(text_of(args[index], spec), int(match[2] or 0))
                at = match.end()
        else:
            end = min(
                (i for i in (template.find("{", at), template.find("}", at)) if i >= 0), default=len(template)
            )
            piece, at = template[at:end], end
        room(len(piece))
        out.append(piece)
    return "".join(out)


def aligned(text: str, width: int) -> str:
    """Padded to `width` characters: on the left when positive, on the right when negative."""
    room(max(abs(width), len(text)))
    return text.rjust(width) if width >= 0 else text.ljust(-width)
