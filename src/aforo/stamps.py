"""Moments and durations as text: ISO 8601 in UTC, and .NET's `[-][d.]hh:mm:ss[.fffffff]`. It knows nothing of ours."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

_TICKS_PER_S: Final = 10_000_000
# Weeks, days and times: years and months have no length of their own.
ISO_DURATION: Final = (
    r"^P(?=\d|T\d)(?:(?P<w>\d{1,6})W)?(?:(?P<d>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<h>\d{1,9})H)?(?:(?P<m>\d{1,9})M)?(?:(?P<s>\d{1,9}(?:\.\d{1,9})?)S)?)?$(?!\n)"
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


def iso_stamp(ns: int, digits: int = 7) -> str:
    """Unix nanoseconds as `2024-01-02T03:04:05.1234567Z`, cut to `digits` of a second."""
    seconds, rest = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{f'{rest:09d}'[:digits]}Z"


def http_date(unix_s: int) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7), whatever the language of the process."""
    at = time.gmtime(unix_s)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04d} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"
    )


def timespan_text(ticks: int) -> str:
    """Ticks of 100 ns as .NET and Kusto print a TimeSpan: a fraction has all its seven digits, or is left away."""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, fraction = divmod(ticks, _TICKS_PER_S)
    days, seconds = divmod(seconds, 86_400)
    out = (
        f"{sign}{f'{days}.' if days else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    )
    return f"{out}.{fraction:07d}" if fraction else out


def duration_s(text: str) -> float:
    """Seconds of an ISO 8601 duration (`PT1M30S`, `P1D`). ValueError when it is none."""
    found = re.match(ISO_DURATION, text)
    if found is None:
        raise ValueError(f"{text!r} is no ISO 8601 duration of weeks, days, hours, minutes or seconds")
    return float(sum(float(value) * _UNITS[unit] for unit, value in found.groupdict().items() if value))
