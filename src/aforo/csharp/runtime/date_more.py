"""Less used members of DateTime, DateTimeOffset and TimeSpan: exact formats, file times, other offsets."""

from __future__ import annotations

import operator
import re
from typing import Any, Final

from aforo.csharp.runtime.date_formats import MONTHS
from aforo.csharp.runtime.dates import (
    EPOCH,
    MIN_DATE,
    DateTime,
    DateTimeOffset,
    make_date,
    offset_from_date_span,
    parse_offset,
)
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    CsException,
    FormatException,
)
from aforo.csharp.runtime.limits import work
from aforo.csharp.runtime.spans import SECOND, TimeSpan
from aforo.csharp.types import member

_MINUTE: Final = 60 * SECOND
_FILE_EPOCH: Final = 504911232000000000  # 1601-01-01
_STANDARD: Final = {
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK", "O": "yyyy-MM-ddTHH:mm:ss.fffffffK", "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'", "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'", "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "d": "MM/dd/yyyy", "t": "HH:mm", "T": "HH:mm:ss", "g": "MM/dd/yyyy HH:mm", "G": "MM/dd/yyyy HH:mm:ss",
    "D": "dddd, dd MMMM yyyy", "F": "dddd, dd MMMM yyyy HH:mm:ss", "f": "dddd, dd MMMM yyyy HH:mm",
    "y": "yyyy MMMM", "Y": "yyyy MMMM", "m": "MMMM dd", "M": "MMMM dd",
}  # fmt: skip
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def _wrong() -> FormatException:
    return FormatException("String was not recognized as a valid DateTime.")


# --- reading by a format ----------------------------------------------------------------------------------------------------


class _Exact:
    """One text read by one format."""

    def __init__(self, text: str, spec: str) -> None:
        self.text = text
        self.at = 0
        self.year = self.month = self.day = 1
        self.now: tuple[int, int, int] | None = None
        self.hour = self.minute = self.second = self.fraction = 0
        self.half: str | None = None
        self.zone: int | None = None
        self.utc = False
        self.read(_STANDARD.get(spec, spec) if len(spec) == 1 else spec)
        if spec in ("r", "R", "u"):
            self.utc = True
        if self.at != len(text):
            raise _wrong()

    def digits(self, least: int, most: int) -> int:
        match = re.compile(rf"[0-9]{{{least},{most}}}").match(self.text, self.at)
        if match is None:
            raise _wrong()
        self.at = match.end()
        return int(match[0])

    def word(self, words: tuple[str, ...], short: bool) -> int:
        rest = self.text[self.at : self.at + 12].lower()
        for place, each in enumerate(words):
            wanted = each.lower()[:3] if short else each.lower()
            if rest.startswith(wanted):
                self.at += len(wanted)
                return place
        raise _wrong()

    def literal(self, text: str) -> None:
        if not self.text.startswith(text, self.at):
            raise _wrong()
        self.at += len(text)

    def read(self, spec: str) -> None:
        at = 0
        while at < len(spec):
            c = spec[at]
            run = 1
            while at + run < len(spec) and spec[at + run] == c:
                run += 1
            if c in "\"'":
                end = spec.find(c, at + 1)
                if end < 0:
                    raise FormatException
                self.literal(spec[at + 1 : end])
                at = end + 1
                continue
            if c == "\\":
                self.literal(spec[at + 1 : at + 2])
                at += 2
                continue
            if c == "%":
                at += 1
                continue
            self.part(c, run)
            at += run

    def part(self, c: str, run: int) -> None:
        most = 2 if run == 1 else run
        if c == "y":
            value = self.digits(run if run > 1 else 1, 4 if run > 2 else 2)
            self.year = value if run > 2 else value + (2000 if value < 50 else 1900)
        elif c == "M":
            self.month = self.digits(run, most) if run < 3 else self.word(MONTHS, run == 3) + 1
        elif c == "d":
            if run < 3:
                self.day = self.digits(run, most)
            else:
                self.word(_DAYS, run == 3)
        elif c in "Hh":
            self.hour = self.digits(min(run, 2), 2)
        elif c == "m":
            self.minute = self.digits(min(run, 2), 2)
        elif c == "s":
            self.second = self.digits(min(run, 2), 2)
        elif c == "f":
            self.fraction = self.digits(run, run) * 10 ** (7 - run) if run <= 7 else self.bad()
        elif c == "F":
            found = re.compile(rf"[0-9]{{0,{min(run, 7)}}}").match(self.text, self.at)
            shown = found[0] if found is not None else ""
            self.at += len(shown)
            self.fraction = int(shown.ljust(7, "0")) if shown else 0
        elif c == "t":
            self.half = ("am", "pm")[self.word(("am", "pm") if run > 1 else ("a", "p"), False)]
        elif c in "zK":
            self.offset(c, run)
        else:
            self.literal(c * run)

    def bad(self) -> int:
        raise FormatException

    def offset(self, c: str, run: int) -> None:
        if c == "K":
            if self.text.startswith("Z", self.at):
                self.at += 1
                self.utc = True
                return
            if self.at == len(self.text) or self.text[self.at] not in "+-":
                return
        match = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?" if run != 2 else r"([+-])(\d{1,2})()").match(
            self.text, self.at
        )
        if match is None:
            raise _wrong()
        self.at = match.end()
        ticks = (int(match[2]) * 60 + int(match[3] or 0)) * _MINUTE
        self.zone = -ticks if match[1] == "-" else ticks

    def ticks(self) -> int:
        """Of the clock on the wall."""
        if self.half is not None:
            if not 1 <= self.hour <= 12:
                raise _wrong()
            self.hour = self.hour % 12 + (12 if self.half == "pm" else 0)
        try:
            made = make_date(self.year, self.month, self.day, self.hour, self.minute, self.second)
        except ArgumentOutOfRangeException:
            raise _wrong() from None
        return made.ticks + self.fraction


def _read(text: str | None, spec: str | None) -> _Exact:
    if text is None or spec is None:
        name = "s" if text is None else "format"
        raise ArgumentNullException(f"Value cannot be null.\r\nParameter name: {name}")
    work(1 + (len(spec) >> 4))
    if not spec or len(spec) > 200 or len(text) > 400:
        raise _wrong()
    return _Exact(text, spec)


def styled(ticks: int, zone: int | None, utc: bool, styles: int) -> DateTime:
    """A moment as DateTimeStyles want it; the local zone is UTC."""
    if utc or zone is not None:
        moment = ticks - (zone or 0)
        to_utc = styles & 16 or (styles & 128 and utc)
        return DateTime(moment, 1 if to_utc else 2)
    if styles & 64:
        return DateTime(ticks, 1 if styles & 16 else 2)
    return DateTime(ticks, 1 if styles & 16 else 2 if styles & 32 else 0)


def parse_exact(text: str | None, spec: str | None, _culture: Any = None, styles: int = 0) -> DateTime:
    read = _read(text, spec)
    return styled(read.ticks(), read.zone, read.utc, int(styles))


def parse_exact_any(text: str | None, specs: list[str], culture: Any, styles: int) -> DateTime:
    for spec in specs:
        try:
            return parse_exact(text, spec, culture, styles)
        except FormatException:
            continue
    raise _wrong()


def try_parse_exact(text: str | None, spec: str | None, culture: Any, styles: int) -> tuple[bool, DateTime]:
    try:
        return True, parse_exact(text, spec, culture, styles)
    except CsException:
        return False, MIN_DATE


def try_parse_exact_any(
    text: str | None, specs: list[str], culture: Any, styles: int
) -> tuple[bool, DateTime]:
    try:
        return True, parse_exact_any(text, specs, culture, styles)
    except CsException:
        return False, MIN_DATE


def parse_styled(text: str | None, _culture: Any, styles: int = 0) -> DateTime:
    from aforo.csharp.runtime.dates import read_date

    ticks, offset = read_date(text)
    return styled(ticks, offset, bool(text) and str(text).rstrip().endswith("Z"), int(styles))


def try_parse_styled(text: str | None, culture: Any, styles: int) -> tuple[bool, DateTime]:
    try:
        return True, parse_styled(text, culture, styles)
    except CsException:
        return False, MIN_DATE


def offset_exact(text: str | None, spec: str | None, _culture: Any = None, styles: int = 0) -> DateTimeOffset:
    read = _read(text, spec)
    ticks, zone = read.ticks(), read.zone or 0
    del styles
    return DateTimeOffset(ticks - zone, zone)


def try_offset_exact(
    text: str | None, spec: str | None, culture: Any, styles: int
) -> tuple[bool, DateTimeOffset]:
    try:
        return True, offset_exact(text, spec, culture, styles)
    except CsException:
        return False, DateTimeOffset(0)


def offset_styled(text: str | None, _culture: Any, styles: int = 0) -> DateTimeOffset:
    found = parse_offset(text)
    return DateTimeOffset(found.ticks) if int(styles) & 16 else found


# --- DateTime ----------------------------------------------------------------------------------------------------------------


def short_date(value: DateTime) -> str:
    return value.text("d")


def long_date(value: DateTime) -> str:
    return value.text("D")


def short_time(value: DateTime) -> str:
    return value.text("t")


def long_time(value: DateTime) -> str:
    return value.text("T")


def file_time(value: DateTime | DateTimeOffset) -> int:
    if value.ticks < _FILE_EPOCH:
        raise ArgumentOutOfRangeException("Not a valid Win32 FileTime.\r\nParameter name: fileTime")
    return value.ticks - _FILE_EPOCH


def from_file_time(value: int) -> DateTime:
    return DateTime(value + _FILE_EPOCH, 1)


def from_file_time_local(value: int) -> DateTime:
    return DateTime(value + _FILE_EPOCH, 2)


def ole_date(value: DateTime) -> float:
    """Days since 1899-12-30, to the millisecond."""
    millis = (value.ticks - 599264352000000000) // 10_000
    if millis < 0 and millis % 86_400_000:
        fraction = millis % 86_400_000
        millis -= fraction * 2 - 0
    return millis / 86_400_000


def from_ole_date(value: float) -> DateTime:
    """The whole part counts days, also below zero; the part behind the point is the time of the day."""
    if not -657435.0 < value < 2958466.0:
        raise ArgumentException("Not a legal OleAut date.")
    millis = int(value * 86_400_000 + (0.5 if value >= 0 else -0.5))
    if millis < 0:
        millis -= millis % -86_400_000 * 2
    return DateTime(millis * 10_000 + 599264352000000000)


def from_binary(value: int) -> DateTime:
    kind = value >> 62 & 3
    return DateTime(value & (1 << 62) - 1, min(kind, 2))


def offset_from_file_time(value: int) -> DateTimeOffset:
    return DateTimeOffset(value + _FILE_EPOCH)


def binary(value: DateTime) -> int:
    return value.ticks | value.kind << 62 if value.kind < 2 else value.ticks - (1 << 63)


# --- DateTimeOffset --------------------------------------------------------------------------------------------------------


def make_offset(
    year: int, month: int, day: int, hour: int, minute: int, second: int, span: TimeSpan
) -> DateTimeOffset:
    return checked_offset(make_date(year, month, day, hour, minute, second), span)


def make_offset_ms(
    year: int, month: int, day: int, hour: int, minute: int, second: int, ms: int, span: TimeSpan
) -> DateTimeOffset:
    return checked_offset(make_date(year, month, day, hour, minute, second, ms), span)


def checked_offset(value: DateTime, span: TimeSpan) -> DateTimeOffset:
    if abs(span.ticks) > 14 * 60 * _MINUTE:
        raise ArgumentOutOfRangeException(
            "Offset must be within plus or minus 14 hours.\r\nParameter name: offset"
        )
    if span.ticks % _MINUTE:
        raise ArgumentException("Offset must be specified in whole minutes.\r\nParameter name: offset")
    if value.kind == 1 and span.ticks:
        raise ArgumentException(
            "The UTC Offset for Utc DateTime instances must be 0.\r\nParameter name: offset"
        )
    return offset_from_date_span(value, span)


def offset_from_ticks(ticks: int, span: TimeSpan) -> DateTimeOffset:
    return checked_offset(DateTime(ticks), span)


def to_offset(value: DateTimeOffset, span: TimeSpan) -> DateTimeOffset:
    checked_offset(DateTime(value.ticks + span.ticks), span)
    return DateTimeOffset(value.ticks, span.ticks)


def utc_ticks(value: DateTimeOffset) -> int:
    return value.ticks


def equals_exact(value: DateTimeOffset, other: DateTimeOffset) -> bool:
    return (value.ticks, value.offset) == (other.ticks, other.offset)


DATE_MEMBERS: Final = (
    member("static DateTime Parse(string s, IFormatProvider provider)", parse_styled),
    member("static DateTime Parse(string s, IFormatProvider provider, DateTimeStyles styles)", parse_styled),
    member("static bool TryParse(string s, IFormatProvider provider, DateTimeStyles styles, out DateTime result)", try_parse_styled),
    member("static DateTime ParseExact(string s, string format, IFormatProvider provider)", parse_exact),
    member("static DateTime ParseExact(string s, string format, IFormatProvider provider, DateTimeStyles style)", parse_exact),
    member("static DateTime ParseExact(string s, string[] formats, IFormatProvider provider, DateTimeStyles style)", parse_exact_any),
    member("static bool TryParseExact(string s, string format, IFormatProvider provider, DateTimeStyles style, out DateTime result)", try_parse_exact),
    member("static bool TryParseExact(string s, string[] formats, IFormatProvider provider, DateTimeStyles style, out DateTime result)", try_parse_exact_any),
    member("static DateTime FromFileTimeUtc(long fileTime)", from_file_time),
    member("static DateTime FromFileTime(long fileTime)", from_file_time_local),
    member("static DateTime FromOADate(double d)", from_ole_date),
    member("static DateTime FromBinary(long dateData)", from_binary),
    member("static DateTime UnixEpoch", const=DateTime(EPOCH, 1)),
    member("string ToShortDateString()", short_date),
    member("string ToLongDateString()", long_date),
    member("string ToShortTimeString()", short_time),
    member("string ToLongTimeString()", long_time),
    member("long ToFileTimeUtc()", file_time),
    member("long ToFileTime()", file_time),
    member("double ToOADate()", ole_date),
    member("long ToBinary()", binary),
)  # fmt: skip


def _ordered(symbol: str, run: Any) -> Any:
    # Declared, so that a DateTime on one side becomes a DateTimeOffset first.
    return member(f"bool operator {symbol}(DateTimeOffset left, DateTimeOffset right)", run)


OFFSET_MEMBERS: Final = (
    _ordered("<", operator.lt),
    _ordered(">", operator.gt),
    _ordered("<=", operator.le),
    _ordered(">=", operator.ge),
    member("new(long ticks, TimeSpan offset)", offset_from_ticks),
    member("new(int year, int month, int day, int hour, int minute, int second, TimeSpan offset)", make_offset),
    member("new(int year, int month, int day, int hour, int minute, int second, int millisecond, TimeSpan offset)", make_offset_ms),
    member("static DateTimeOffset Parse(string input, IFormatProvider formatProvider)", offset_styled),
    member("static DateTimeOffset Parse(string input, IFormatProvider formatProvider, DateTimeStyles styles)", offset_styled),
    member("static DateTimeOffset ParseExact(string input, string format, IFormatProvider formatProvider)", offset_exact),
    member("static DateTimeOffset ParseExact(string input, string format, IFormatProvider formatProvider, DateTimeStyles styles)", offset_exact),
    member("static bool TryParseExact(string input, string format, IFormatProvider formatProvider, DateTimeStyles styles, out DateTimeOffset result)", try_offset_exact),
    member("static DateTimeOffset FromFileTime(long fileTime)", offset_from_file_time),
    member("static DateTimeOffset UnixEpoch", const=DateTimeOffset(EPOCH)),
    member("DateTimeOffset ToOffset(TimeSpan offset)", to_offset),
    member("bool EqualsExact(DateTimeOffset other)", equals_exact),
    member("long UtcTicks", utc_ticks),
    member("long ToFileTime()", file_time),
)  # fmt: skip
