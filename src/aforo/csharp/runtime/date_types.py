"""What expressions see of dates: declarations over dates.py and date_more.py."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime import cultures as culture
from aforo.csharp.runtime import date_more as m
from aforo.csharp.runtime import dates as d
from aforo.csharp.runtime.numbers import compare, same
from aforo.csharp.runtime.spans import between
from aforo.csharp.types import TypeDecl, declare, enumeration, member

_COMMON: Final = tuple(
    (name, run)
    for name, run in (
        ("Year", d.year), ("Month", d.month), ("Day", d.day), ("Hour", d.hour), ("Minute", d.minute), ("Second", d.second),
        ("Millisecond", d.millisecond), ("DayOfYear", d.day_of_year),
    )
)  # fmt: skip


def _calendar(t: str) -> tuple[Any, ...]:
    return (
        *(member(f"int {name}", run) for name, run in _COMMON),
        member("long Ticks", d.ticks_of),
        member("DayOfWeek DayOfWeek", d.day_of_week),
        member("TimeSpan TimeOfDay", d.time_of_day),
        member("DateTime Date", d.date_part),
        *(
            member(f"{t} {name}(double value)", run)
            for name, run in (
                ("AddDays", d.add_days), ("AddHours", d.add_hours), ("AddMinutes", d.add_minutes),
                ("AddSeconds", d.add_seconds), ("AddMilliseconds", d.add_milliseconds),
            )
        ),
        member(f"{t} AddTicks(long value)", d.add_ticks),
        member(f"{t} AddMonths(int months)", d.add_months),
        member(f"{t} AddYears(int value)", d.add_years),
        member(f"{t} Add(TimeSpan value)", d.add_span),
        member(f"{t} Subtract(TimeSpan value)", d.subtract_span),
        member(f"TimeSpan Subtract({t} value)", between),
        member(f"{t} operator +({t} d, TimeSpan t)", d.add_span),
        member(f"{t} operator -({t} d, TimeSpan t)", d.subtract_span),
        member(f"TimeSpan operator -({t} a, {t} b)", between),
        member(f"{t} ToUniversalTime()", d.to_universal),
        member(f"{t} ToLocalTime()", d.to_local),
        member(f"int CompareTo({t} value)", compare),
        member(f"bool Equals({t} value)", same),
        member(f"static int Compare({t} t1, {t} t2)", compare),
        member("string ToString(string format)", d.date_text),
        member("string ToString(string format, IFormatProvider provider)", culture.formatted),
        member("string ToString(IFormatProvider provider)", culture.shown),
    )  # fmt: skip


def _first_date() -> d.DateTime:
    return d.MIN_DATE


def _first_offset() -> d.DateTimeOffset:
    return d.DateTimeOffset(0)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "DateTime",
        member("new()", _first_date),
        member("new(int year, int month, int day)", d.make_date),
        member("new(int year, int month, int day, int hour, int minute, int second)", d.make_date),
        member(
            "new(int year, int month, int day, int hour, int minute, int second, int millisecond)",
            d.make_date,
        ),
        member(
            "new(int year, int month, int day, int hour, int minute, int second, DateTimeKind kind)",
            d.make_date_kind,
        ),
        member(
            "new(int year, int month, int day, int hour, int minute, int second, int millisecond, DateTimeKind kind)",
            d.make_date,
        ),
        member("new(long ticks)", d.date_from_ticks),
        member("new(long ticks, DateTimeKind kind)", d.date_from_ticks),
        member("static DateTime UtcNow", d.utc_now),
        member("static DateTime Now", d.local_now),
        member("static DateTime Today", d.today),
        member("static DateTime MinValue", const=d.MIN_DATE),
        member("static DateTime MaxValue", const=d.MAX_DATE),
        member("static DateTime Parse(string s)", d.parse_date),
        member("static bool TryParse(string s, out DateTime result)", d.try_parse_date),
        member("static int DaysInMonth(int year, int month)", d.days_in_month),
        member("static bool IsLeapYear(int year)", d.is_leap_year),
        member("static DateTime SpecifyKind(DateTime value, DateTimeKind kind)", d.specify_kind),
        member("DateTimeKind Kind", d.kind_of),
        member("bool IsDaylightSavingTime()", d.never_summer),
        *m.DATE_MEMBERS,
        *_calendar("DateTime"),
        kind="struct",
        python=d.DateTime,
        default=d.MIN_DATE,
    ),
    declare(
        "DateTimeOffset",
        member("new()", _first_offset),
        member("new(DateTime dateTime)", d.offset_from_date),
        member("new(DateTime dateTime, TimeSpan offset)", m.checked_offset),
        member("implicit DateTimeOffset(DateTime dateTime)", d.offset_from_date),
        member("static DateTimeOffset UtcNow", d.offset_now),
        member("static DateTimeOffset Now", d.offset_now),
        member("static DateTimeOffset MinValue", const=d.DateTimeOffset(0)),
        member("static DateTimeOffset MaxValue", const=d.DateTimeOffset(d.MAX_DATE.ticks)),
        member("static DateTimeOffset Parse(string input)", d.parse_offset),
        member("static bool TryParse(string input, out DateTimeOffset result)", d.try_parse_offset),
        member("static DateTimeOffset FromUnixTimeSeconds(long seconds)", d.offset_from_unix),
        member("static DateTimeOffset FromUnixTimeMilliseconds(long milliseconds)", d.offset_from_unix_ms),
        member("long ToUnixTimeSeconds()", d.to_unix),
        member("long ToUnixTimeMilliseconds()", d.to_unix_ms),
        member("DateTime UtcDateTime", d.utc_date),
        member("DateTime DateTime", d.plain_date),
        member("DateTime LocalDateTime", d.utc_date),
        member("TimeSpan Offset", d.offset_span),
        *m.OFFSET_MEMBERS,
        *_calendar("DateTimeOffset"),
        kind="struct",
        python=d.DateTimeOffset,
        default=d.DateTimeOffset(0),
    ),
    enumeration("DayOfWeek", d.DayOfWeek),
    enumeration("DateTimeKind", d.DateTimeKind),
)
