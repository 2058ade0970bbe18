"""Dates and times as people write them, for `DateTime.Parse`: names of months, times without a date, other separators.

The forms that machines write are in dates.py, which asks here last.
"""

from __future__ import annotations

import re
from typing import Final

from aforo.csharp.runtime.date_formats import MONTHS
from aforo.csharp.runtime.dates import DateTime, day_of_week, make_date, today, year
from aforo.csharp.runtime.exceptions import ArgumentOutOfRangeException, FormatException
from aforo.csharp.runtime.spans import SECOND

_LONGEST: Final = 100
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ZONE: Final = re.compile(r"(?<=[\dm\s])\s*(z|gmt|[+-]\d{1,2}:?\d{2})\Z")
_TIME: Final = re.compile(
    r"(?:(?<=[\s,])|(?<=\dt)|\A)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?)?\s*([ap]m)?(?=[\s,]|\Z)"
)
_DAY: Final = re.compile(r"\b(sun|mon|tue|wed|thu|fri|sat)(?:day|sday|nesday|rsday|urday)?\b[.,]?\s*")
_NAME: Final = "(" + "|".join(f"{m}|{m[:3]}" for m in map(str.lower, MONTHS)) + r")\.?"
_PARTS: Final = {"y": r"(\d{4})", "s": r"(\d{4}|\d{2})", "m": r"(\d{1,2})", "d": r"(\d{1,2})", "n": _NAME}
# What a date may be, by its parts: a y(ear) of four digits, a s(hort) or long one, a m(onth), its n(ame), a d(ay).
_FORMS: Final = tuple(
    (parts, re.compile(r"\s*[-/.,\s]\s*".join(_PARTS[p] for p in parts) + r"\Z"))
    for parts in ("ymd", "mds", "dns", "nds", "ynd", "yn", "ny", "ym", "my", "md", "dn", "nd")
)


class _Wrong(FormatException):
    def __init__(self) -> None:
        super().__init__("String was not recognized as a valid DateTime.")


def read(text: str) -> tuple[int, int | None]:
    """(local ticks, offset in ticks or None)."""
    if len(text) > _LONGEST:
        raise _Wrong
    left, offset = text.strip().lower(), None
    if (zone := _ZONE.search(left)) and ":" in left[: zone.start()]:
        left = left[: zone.start()]
        offset = _offset(zone[1])
    left, time = _without_time(left)
    day = _DAY.search(left)
    if day:
        left = left[: day.start()] + left[day.end() :]
    try:
        date = _date(left.strip(" ,"), has_time=time is not None)
    except ArgumentOutOfRangeException:
        raise _Wrong from None
    if day and _DAYS[day_of_week(date)] != day[1]:
        raise FormatException(
            "String was not recognized as a valid DateTime because the day of week was incorrect."
        )
    return date.ticks + (time or 0), offset


def _offset(zone: str) -> int:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").rjust(4, "0")
    ticks = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * SECOND
    return -ticks if zone[0] == "-" else ticks


def _without_time(text: str) -> tuple[str, int | None]:
    """The text without its time of day, and that in ticks."""
    for found in _TIME.finditer(text):
        hours, minutes, seconds, fraction, half = found.groups()
        if minutes is None and half is None:
            continue
        hour, minute, second = int(hours), int(minutes or 0), int(seconds or 0)
        if half is not None:
            if not 1 <= hour <= 12:
                raise _Wrong
            hour = hour % 12 + (12 if half == "pm" else 0)
        if hour > 23 or minute > 59 or second > 59:
            raise _Wrong
        ticks = (hour * 3600 + minute * 60 + second) * SECOND + int((fraction or "0").ljust(7, "0"))
        before = text[: found.start()].removesuffix("t") if found.start() else ""
        return f"{before} {text[found.end() :]}", ticks
    return text, None


def _date(text: str, *, has_time: bool) -> DateTime:
    """Without one it is today, where there is a time; what a date does not say is the first, or this year's."""
    if not text and has_time:
        return DateTime(today().ticks)
    for parts, form in _FORMS:
        if found := form.match(text):
            said = dict(zip(parts, found.groups(), strict=True))
            y = int(said.get("y") or said.get("s") or year(today()))
            if len(said.get("s", "0000")) == 2:
                y += 2000 if y < 50 else 1900
            name = said.get("n")
            month = int(said["m"]) if name is None else _month(name)
            return make_date(y, month, int(said.get("d", "1")))
    raise _Wrong


def _month(name: str) -> int:
    return 1 + next(i for i, each in enumerate(MONTHS) if each.lower().startswith(name))
