"""TimeSpan, in ticks of 100 ns, and the order that it shares with points in time."""

from __future__ import annotations

import re
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    CsException,
    FormatException,
    OverflowException,
)
from aforo.csharp.runtime.numbers import compare, same
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member
from aforo.stamps import timespan_text

SECOND: Final = 10_000_000
DAY: Final = 86400 * SECOND


class Ticks(Obj):
    """What the three have in common: an order by ticks."""

    __slots__ = ("ticks",)
    ticks: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ticks) and self.ticks == other.ticks

    def __lt__(self, other: Ticks) -> bool:
        return self.ticks < other.ticks

    def __le__(self, other: Ticks) -> bool:
        return self.ticks <= other.ticks

    def __gt__(self, other: Ticks) -> bool:
        return self.ticks > other.ticks

    def __ge__(self, other: Ticks) -> bool:
        return self.ticks >= other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)


class TimeSpan(Ticks):
    __slots__ = ()
    net_name = "System.TimeSpan"

    def __init__(self, ticks: int) -> None:
        if not -(2**63) <= ticks < 2**63:
            raise OverflowException("TimeSpan overflowed because the duration is too long.")
        self.ticks = ticks

    def text(self, spec: str | None = None) -> str:
        if spec in (None, "", "c", "t", "T"):
            return timespan_text(self.ticks)
        sign = "-" if self.ticks < 0 else ""
        days, rest = divmod(abs(self.ticks), DAY)
        seconds, fraction = divmod(rest, SECOND)
        h, m, s = seconds // 3600, seconds // 60 % 60, seconds % 60
        if spec in ("g", "G"):
            lead = f"{days}:" if days or spec == "G" else ""
            tail = (
                (f".{fraction:07d}".rstrip("0").rstrip(".") if spec == "g" else f".{fraction:07d}")
                if fraction or spec == "G"
                else ""
            )
            return f"{sign}{lead}{h if spec == 'g' else f'{h:02d}'}:{m:02d}:{s:02d}{tail}"
        parts = {"d": days, "h": h, "m": m, "s": s}
        out, at = "", 0
        while at < len(spec):
            c = spec[at]
            run = len(spec[at:]) - len(spec[at:].lstrip(c))
            if c == "%" and len(spec) == 2:  # one specifier on its own
                at += 1
                continue
            if c in parts:
                out += str(parts[c]).rjust(run, "0")
            elif c in "fF":
                digits = f"{fraction:07d}"[:run]
                out += digits.rstrip("0") if c == "F" else digits
            elif c == "\\":
                out += spec[at + 1 : at + 2]
                at += 2
                continue
            elif c in "'\"":
                end = spec.find(c, at + 1)
                end = len(spec) if end < 0 else end
                out += spec[at + 1 : end]
                at = end + 1
                continue
            else:
                raise FormatException
            at += run
        return out


def scaled(value: float, unit: int) -> int:
    """.NET rounds what is added to the millisecond."""
    if value != value or abs(value) > 1e18:
        raise ArgumentOutOfRangeException("Value to add was out of range.\r\nParameter name: value")
    millis = value * (unit // 10_000)
    return int(millis + (0.5 if millis >= 0 else -0.5)) * 10_000


def between(left: Ticks, right: Ticks) -> TimeSpan:
    return TimeSpan(left.ticks - right.ticks)


def make_span(*parts: int) -> TimeSpan:
    """(h, m, s), (d, h, m, s) or (d, h, m, s, ms)."""
    d, h, m, s, ms = (0, *parts, 0) if len(parts) == 3 else (*parts, 0) if len(parts) == 4 else parts
    return TimeSpan(((d * 24 + h) * 3600 + m * 60 + s) * SECOND + ms * 10_000)


def zero_span() -> TimeSpan:
    return ZERO_SPAN


def span_from_ticks(ticks: int) -> TimeSpan:
    return TimeSpan(ticks)


def _span(unit: int) -> Any:
    def make(value: float) -> TimeSpan:
        return TimeSpan(scaled(value, unit))

    make.__qualname__ = f"span_from_{unit}"
    return make


def _total(unit: int) -> Any:
    def total(value: TimeSpan) -> float:
        return value.ticks / unit

    total.__qualname__ = f"total_{unit}"
    return total


def _part(unit: int, size: int) -> Any:
    def part(value: TimeSpan) -> int:
        whole = abs(value.ticks) // unit % size
        return -whole if value.ticks < 0 else whole

    part.__qualname__ = f"part_{unit}"
    return part


def add_spans(left: TimeSpan, right: TimeSpan) -> TimeSpan:
    return TimeSpan(left.ticks + right.ticks)


def negate_span(value: TimeSpan) -> TimeSpan:
    return TimeSpan(-value.ticks)


def duration(value: TimeSpan) -> TimeSpan:
    return TimeSpan(abs(value.ticks))


_SPAN: Final = re.compile(r"\s*(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?\s*\Z")


def parse_span(text: str | None) -> TimeSpan:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    if re.fullmatch(r"\s*-?\d{1,8}\s*", text):
        return TimeSpan(int(text) * DAY)
    m = _SPAN.match(text)
    if m is None:
        raise FormatException("String was not recognized as a valid TimeSpan.")
    minus, d, h, mi, s, f = m.groups()
    if int(h) > 23 or int(mi) > 59 or int(s or 0) > 59:
        raise OverflowException(
            "The TimeSpan could not be parsed because at least one of the numeric components is out of range."
        )
    ticks = make_span(int(d or 0), int(h), int(mi), int(s or 0)).ticks + int((f or "0").ljust(7, "0"))
    return TimeSpan(-ticks if minus else ticks)


def try_parse_span(text: str | None) -> tuple[bool, TimeSpan]:
    try:
        return True, parse_span(text)
    except (FormatException, OverflowException, ArgumentNullException):
        return False, ZERO_SPAN


def parse_span_exact(text: str | None, spec: str | None, _culture: Any = None) -> TimeSpan:
    """By one of the standard formats, or by `d`, `h`, `m`, `s`, `f` with escaped or quoted separators."""
    if text is None or spec is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    if spec in ("c", "t", "T", "g", "G"):
        return parse_span(text.replace(":", ".", 1) if spec in "gG" and text.count(":") == 3 else text)
    wrong = FormatException("String was not recognized as a valid TimeSpan.")
    pattern, at, seen = "", 0, set()
    while at < len(spec) and len(spec) < 100:
        c = spec[at]
        run = len(spec[at:]) - len(spec[at:].lstrip(c))
        if c in "dhms" and c not in seen:
            seen.add(c)
            pattern += f"(?P<{c}>\\d{{{run},{8 if c == 'd' else 2}}})"
        elif c in "fF" and "f" not in seen and run <= 7:
            seen.add("f")
            pattern += f"(?P<f>\\d{{{run if c == 'f' else 0},{run}}})"
        elif c == "\\":
            pattern += re.escape(spec[at + 1 : at + 2])
            run = 2
        elif c in "'\"" and spec.find(c, at + 1) > 0:
            end = spec.find(c, at + 1)
            pattern += re.escape(spec[at + 1 : end])
            run = end + 1 - at
        elif c == "%" and run == 1:
            pass
        else:
            raise FormatException
        at += run
    found = re.fullmatch(pattern, text)
    if found is None:
        raise wrong
    part = {k: int(v) for k, v in found.groupdict().items() if v and k != "f"}
    if part.get("h", 0) > 23 or part.get("m", 0) > 59 or part.get("s", 0) > 59:
        raise wrong
    whole = make_span(part.get("d", 0), part.get("h", 0), part.get("m", 0), part.get("s", 0)).ticks
    fraction = found.groupdict().get("f") or "0"
    return TimeSpan(whole + int(fraction.ljust(7, "0")))


def try_parse_span_exact(text: str | None, spec: str | None, culture: Any = None) -> tuple[bool, TimeSpan]:
    try:
        return True, parse_span_exact(text, spec, culture)
    except CsException:
        return False, ZERO_SPAN


def times(value: TimeSpan, factor: float) -> TimeSpan:
    """To the nearest tick."""
    if factor != factor:
        raise ArgumentException("TimeSpan does not accept floating point Not-a-Number values.")
    return _rounded(value.ticks * factor)


def _rounded(ticks: float) -> TimeSpan:
    if not abs(ticks) < 2**63:
        raise OverflowException("TimeSpan overflowed because the duration is too long.")
    return TimeSpan(round(ticks))


def times_reversed(factor: float, value: TimeSpan) -> TimeSpan:
    return times(value, factor)


def parted(value: TimeSpan, divisor: float) -> TimeSpan:
    if divisor != divisor:
        raise ArgumentException("TimeSpan does not accept floating point Not-a-Number values.")
    return _rounded(value.ticks / divisor if divisor else float("nan"))


def ratio(value: TimeSpan, other: TimeSpan) -> float:
    if not other.ticks:
        return float("nan") if not value.ticks else float("inf") * (1 if value.ticks > 0 else -1)
    return value.ticks / other.ticks


def compare_spans(left: TimeSpan, right: TimeSpan) -> int:
    return compare(left, right)


def culture_text(value: TimeSpan, spec: str | None, _culture: Any) -> str:
    return value.text(spec)


def by_culture(text: str | None, _culture: Any) -> TimeSpan:
    return parse_span(text)


def span_text(value: TimeSpan, spec: str | None = None) -> str:
    return value.text(spec)


ZERO_SPAN: Final = TimeSpan(0)
_UNITS: Final = (("Days", DAY, 10**9), ("Hours", 3600 * SECOND, 24), ("Minutes", 60 * SECOND, 60), ("Seconds", SECOND, 60), ("Milliseconds", 10_000, 1000))  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "TimeSpan",
        member("new()", zero_span),
        member("new(long ticks)", span_from_ticks),
        member("new(int hours, int minutes, int seconds)", make_span),
        member("new(int days, int hours, int minutes, int seconds)", make_span),
        member("new(int days, int hours, int minutes, int seconds, int milliseconds)", make_span),
        member("static TimeSpan Zero", const=ZERO_SPAN),
        member("static TimeSpan MaxValue", const=TimeSpan(2**63 - 1)),
        member("static TimeSpan MinValue", const=TimeSpan(-(2**63))),
        member("static TimeSpan Parse(string s)", parse_span),
        member("static TimeSpan Parse(string s, IFormatProvider provider)", by_culture),
        member("static bool TryParse(string s, out TimeSpan result)", try_parse_span),
        member(
            "static TimeSpan ParseExact(string input, string format, IFormatProvider provider)",
            parse_span_exact,
        ),
        member(
            "static bool TryParseExact(string input, string format, IFormatProvider formatProvider, out TimeSpan result)",
            try_parse_span_exact,
        ),
        member("TimeSpan operator *(TimeSpan timeSpan, double factor)", times),
        member("TimeSpan operator *(double factor, TimeSpan timeSpan)", times_reversed),
        member("TimeSpan operator /(TimeSpan timeSpan, double divisor)", parted),
        member("double operator /(TimeSpan t1, TimeSpan t2)", ratio),
        member("TimeSpan Multiply(double factor)", times),
        member("TimeSpan Divide(double divisor)", parted),
        member("double Divide(TimeSpan ts)", ratio),
        member("static int Compare(TimeSpan t1, TimeSpan t2)", compare_spans),
        *(member(f"static long TicksPer{name.removesuffix('s')}", const=unit) for name, unit, _ in _UNITS),
        member("string ToString(string format, IFormatProvider provider)", culture_text),
        member("static TimeSpan FromTicks(long value)", span_from_ticks),
        *(member(f"static TimeSpan From{n}(double value)", _span(u)) for n, u, _ in _UNITS),
        *(member(f"double Total{n}", _total(u)) for n, u, _ in _UNITS),
        *(member(f"int {n}", _part(u, size)) for n, u, size in _UNITS),
        member("long Ticks", attr="ticks"),
        member("TimeSpan Add(TimeSpan ts)", add_spans),
        member("TimeSpan Subtract(TimeSpan ts)", between),
        member("TimeSpan Negate()", negate_span),
        member("TimeSpan Duration()", duration),
        member("TimeSpan operator +(TimeSpan a, TimeSpan b)", add_spans),
        member("TimeSpan operator -(TimeSpan a, TimeSpan b)", between),
        member("int CompareTo(TimeSpan value)", compare),
        member("bool Equals(TimeSpan obj)", same),
        member("string ToString(string format)", span_text),
        kind="struct",
        python=TimeSpan,
        default=ZERO_SPAN,
    ),
)
