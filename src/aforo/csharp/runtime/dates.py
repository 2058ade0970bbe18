"""DateTime and DateTimeOffset, in ticks of 100 ns; the machine's zone is always UTC."""

from __future__ import annotations

import re
import time
from datetime import date
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime import date_words
from aforo.csharp.runtime.date_formats import MONTHS, write_date, ymd, zone_text
from aforo.csharp.runtime.exceptions import (
    ArgumentNullException,
    ArgumentOutOfRangeException,
    FormatException,
)
from aforo.csharp.runtime.spans import DAY, SECOND, Ticks, TimeSpan, scaled

EPOCH: Final = 719162 * DAY  # 1970-01-01
_MAX: Final = 3652059 * DAY - 1


class DayOfWeek(IntEnum):
    Sunday = 0
    Monday = 1
    Tuesday = 2
    Wednesday = 3
    Thursday = 4
    Friday = 5
    Saturday = 6


class DateTimeKind(IntEnum):
    Unspecified = 0
    Utc = 1
    Local = 2


class DateTime(Ticks):
    __slots__ = ("kind",)
    net_name = "System.DateTime"

    def __init__(self, ticks: int, kind: int = 0) -> None:
        if not 0 <= ticks <= _MAX:
            raise ArgumentOutOfRangeException(
                "The added or subtracted value results in an un-representable DateTime."
            )
        self.ticks = ticks
        self.kind = kind

    def text(self, spec: str | None = None) -> str:
        return write_date(self.ticks, 0, self.kind, spec or "G", offset=False)


class DateTimeOffset(Ticks):
    """`ticks` are UTC ticks; `offset` is in ticks too."""

    __slots__ = ("offset",)
    net_name = "System.DateTimeOffset"

    def __init__(self, utc_ticks: int, offset: int = 0) -> None:
        if not 0 <= utc_ticks <= _MAX or not 0 <= utc_ticks + offset <= _MAX:
            raise ArgumentOutOfRangeException(
                "The UTC time represented when the offset is applied must be between year 0 and 10,000."
            )
        self.ticks = utc_ticks
        self.offset = offset

    def text(self, spec: str | None = None) -> str:
        if not spec:
            return (
                write_date(self.ticks + self.offset, self.offset, 0, "G", offset=True)
                + " "
                + zone_text(self.offset)
            )
        return write_date(self.ticks + self.offset, self.offset, 0, spec, offset=True)


def utc_now() -> DateTime:
    return DateTime(EPOCH + time.time_ns() // 100, 1)


def local_now() -> DateTime:
    """The gateways of Azure run in UTC; so do ours, whatever zone the machine has."""
    return DateTime(EPOCH + time.time_ns() // 100, 2)


def today() -> DateTime:
    now = utc_now()
    return DateTime(now.ticks - now.ticks % DAY, 2)


def offset_now() -> DateTimeOffset:
    return DateTimeOffset(EPOCH + time.time_ns() // 100)


def from_unix(seconds: int) -> DateTime:
    """For the subject's dates."""
    return DateTime(EPOCH + seconds * SECOND, 1)


def make_date(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    ms: int = 0,
    kind: int = 0,
) -> DateTime:
    try:
        days = date(year, month, day).toordinal() - 1
    except (ValueError, OverflowError):
        raise ArgumentOutOfRangeException(
            "Year, Month, and Day parameters describe an un-representable DateTime."
        ) from None
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= ms < 1000):
        raise ArgumentOutOfRangeException(
            "Hour, Minute, and Second parameters describe an un-representable DateTime."
        )
    return DateTime(days * DAY + (hour * 3600 + minute * 60 + second) * SECOND + ms * 10_000, kind)


def make_date_kind(
    year: int, month: int, day: int, hour: int, minute: int, second: int, kind: int
) -> DateTime:
    return make_date(year, month, day, hour, minute, second, 0, kind)


def date_from_ticks(ticks: int, kind: int = 0) -> DateTime:
    return DateTime(ticks, kind)


def _moved(value: Any, ticks: int) -> Any:
    if isinstance(value, DateTime):
        return DateTime(value.ticks + ticks, value.kind)
    return DateTimeOffset(value.ticks + ticks, value.offset)


def add_days(value: Any, by: float) -> Any:
    return _moved(value, scaled(by, DAY))


def add_hours(value: Any, by: float) -> Any:
    return _moved(value, scaled(by, 3600 * SECOND))


def add_minutes(value: Any, by: float) -> Any:
    return _moved(value, scaled(by, 60 * SECOND))


def add_seconds(value: Any, by: float) -> Any:
    return _moved(value, scaled(by, SECOND))


def add_milliseconds(value: Any, by: float) -> Any:
    return _moved(value, scaled(by, 10_000))


def add_ticks(value: Any, by: int) -> Any:
    return _moved(value, by)


def add_months(value: Any, by: int) -> Any:
    local = value.ticks + (value.offset if isinstance(value, DateTimeOffset) else 0)
    day = ymd(local)
    months = day.year * 12 + day.month - 1 + by
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise ArgumentOutOfRangeException(
            "The added or subtracted value results in an un-representable DateTime."
        )
    last = days_in_month(year, month + 1)
    moved = date(year, month + 1, min(day.day, last)).toordinal() - 1
    return _moved(value, (moved - local // DAY) * DAY)


def add_years(value: Any, by: int) -> Any:
    return add_months(value, by * 12)


def add_span(value: Any, span: TimeSpan) -> Any:
    return _moved(value, span.ticks)


def subtract_span(value: Any, span: TimeSpan) -> Any:
    return _moved(value, -span.ticks)


def days_in_month(year: int, month: int) -> int:
    if not (1 <= month <= 12 and 1 <= year <= 9999):
        raise ArgumentOutOfRangeException("Month must be between one and twelve.\r\nParameter name: month")
    return (
        (date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days
        if (year, month) != (9999, 12)
        else 31
    )


def is_leap_year(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _local(value: Any) -> int:
    return int(value.ticks + (value.offset if isinstance(value, DateTimeOffset) else 0))


def year(value: Any) -> int:
    return ymd(_local(value)).year


def month(value: Any) -> int:
    return ymd(_local(value)).month


def day(value: Any) -> int:
    return ymd(_local(value)).day


def hour(value: Any) -> int:
    return _local(value) % DAY // (3600 * SECOND)


def minute(value: Any) -> int:
    return _local(value) // (60 * SECOND) % 60


def second(value: Any) -> int:
    return _local(value) // SECOND % 60


def millisecond(value: Any) -> int:
    return _local(value) // 10_000 % 1000


def day_of_week(value: Any) -> DayOfWeek:
    return DayOfWeek((_local(value) // DAY + 1) % 7)


def day_of_year(value: Any) -> int:
    return ymd(_local(value)).timetuple().tm_yday


def time_of_day(value: Any) -> TimeSpan:
    return TimeSpan(_local(value) % DAY)


def date_part(value: Any) -> DateTime:
    local = _local(value)
    return DateTime(local - local % DAY, value.kind if isinstance(value, DateTime) else 0)


def ticks_of(value: Any) -> int:
    return _local(value)


def kind_of(value: DateTime) -> DateTimeKind:
    return DateTimeKind(value.kind)


def to_universal(value: Any) -> Any:
    return DateTime(value.ticks, 1) if isinstance(value, DateTime) else DateTimeOffset(value.ticks)


def to_local(value: Any) -> Any:
    return DateTime(value.ticks, 2) if isinstance(value, DateTime) else DateTimeOffset(value.ticks)


def specify_kind(value: DateTime, kind: int) -> DateTime:
    return DateTime(value.ticks, kind)


def date_text(value: Any, spec: str | None = None) -> str:
    text: str = value.text(spec)
    return text


def never_summer(_value: DateTime) -> bool:
    return False


_ISO: Final = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?\s*\Z"
)
_AMERICAN: Final = re.compile(
    r"\s*(\d{1,2})/(\d{1,2})/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*([AaPp][Mm])?)?\s*(Z|[+-]\d{2}:?\d{2})?\s*\Z"
)
_RFC: Final = re.compile(
    r"\s*(?:[A-Za-z]{3},\s*)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (GMT|[+-]\d{2}:?\d{2})\s*\Z"
)


def read_date(text: str | None) -> tuple[int, int | None]:
    """(local ticks, offset in ticks or None)."""
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: s")
    wrong = FormatException("String was not recognized as a valid DateTime.")
    if m := _ISO.match(text):
        y, mo, d, h, mi, s, f, z = m.groups()
    elif m := _AMERICAN.match(text):
        mo, d, y, h, mi, s, f, half, z = m.groups()
        if half is not None:
            if not 1 <= int(h) <= 12:
                raise wrong
            h = str(int(h) % 12 + (12 if half.lower() == "pm" else 0))
    elif m := _RFC.match(text):
        d, name, y, h, mi, s, z = m.groups()
        f = None
        month_at = next((i for i, n in enumerate(MONTHS) if n[:3].lower() == name.lower()), None)
        if month_at is None:
            raise wrong
        mo = str(month_at + 1)
    else:
        return _as_said(date_words.read(text), wrong)
    try:
        ticks = make_date(int(y), int(mo), int(d), int(h or 0), int(mi or 0), int(s or 0)).ticks
    except ArgumentOutOfRangeException:
        raise wrong from None
    ticks += int((f or "0").ljust(7, "0")[:7])
    if z is None:
        return ticks, None
    if z in ("Z", "GMT"):
        return ticks, 0
    digits = z[1:].replace(":", "")
    offset = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * SECOND
    return ticks, -offset if z[0] == "-" else offset


def _as_said(said: date_words.Said | None, wrong: FormatException) -> tuple[int, int | None]:
    """Without a date it is today's, without a year this year's."""
    if said is None:
        raise wrong
    now = today()
    try:
        on = make_date(said.year or year(now), said.month or month(now), said.day or day(now))
    except ArgumentOutOfRangeException:
        raise wrong from None
    if said.weekday not in (None, day_of_week(on)):
        raise FormatException(
            "String was not recognized as a valid DateTime because the day of week was incorrect."
        )
    return on.ticks + (said.time or 0), said.offset


def parse_date(text: str | None) -> DateTime:
    ticks, offset = read_date(text)
    return DateTime(ticks) if offset is None else DateTime(ticks - offset, 2)


def try_parse_date(text: str | None) -> tuple[bool, DateTime]:
    try:
        return True, parse_date(text)
    except (FormatException, ArgumentNullException, ArgumentOutOfRangeException):
        return False, MIN_DATE


def parse_offset(text: str | None) -> DateTimeOffset:
    ticks, offset = read_date(text)
    return DateTimeOffset(ticks - (offset or 0), offset or 0)


def try_parse_offset(text: str | None) -> tuple[bool, DateTimeOffset]:
    try:
        return True, parse_offset(text)
    except (FormatException, ArgumentNullException, ArgumentOutOfRangeException):
        return False, DateTimeOffset(0)


def offset_from_date(value: DateTime) -> DateTimeOffset:
    return DateTimeOffset(value.ticks)


def offset_from_date_span(value: DateTime, span: TimeSpan) -> DateTimeOffset:
    return DateTimeOffset(value.ticks - span.ticks, span.ticks)


def offset_from_unix(seconds: int) -> DateTimeOffset:
    return DateTimeOffset(EPOCH + seconds * SECOND)


def offset_from_unix_ms(millis: int) -> DateTimeOffset:
    return DateTimeOffset(EPOCH + millis * 10_000)


def to_unix(value: DateTimeOffset) -> int:
    return (value.ticks - EPOCH) // SECOND


def to_unix_ms(value: DateTimeOffset) -> int:
    return (value.ticks - EPOCH) // 10_000


def utc_date(value: DateTimeOffset) -> DateTime:
    return DateTime(value.ticks, 1)


def plain_date(value: DateTimeOffset) -> DateTime:
    return DateTime(value.ticks + value.offset)


def offset_span(value: DateTimeOffset) -> TimeSpan:
    return TimeSpan(value.offset)


MIN_DATE: Final = DateTime(0)
MAX_DATE: Final = DateTime(_MAX)
