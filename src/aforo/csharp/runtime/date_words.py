"""Dates and times as people write them, for `DateTime.Parse`: names of months, times without a date, other separators.

The forms that machines write are in dates.py, which asks here last and makes a date of what was said.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from aforo.csharp.runtime.date_formats import MONTHS
from aforo.csharp.runtime.spans import SECOND

_LONGEST: Final = 100
_NEVER: Final = -1
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


class Said(NamedTuple):
    """What a text says; None where it does not. `time` and `offset` in ticks; `weekday` counts from Sunday."""

    year: int | None
    month: int | None
    day: int | None
    time: int | None
    offset: int | None
    weekday: int | None


def read(text: str) -> Said | None:
    """None for what is no date and no time."""
    if len(text) > _LONGEST:
        return None
    left, offset = text.strip().lower(), None
    if (zone := _ZONE.search(left)) and ":" in left[: zone.start()]:
        left = left[: zone.start()]
        offset = _offset(zone[1])
    left, time = _without_time(left)
    if time == _NEVER:
        return None
    weekday = _DAY.search(left)
    if weekday:
        left = left[: weekday.start()] + left[weekday.end() :]
    left = left.strip(" ,")
    on = _DAYS.index(weekday[1]) if weekday else None
    if not left and time is not None:
        return Said(None, None, None, time, offset, on)
    for parts, form in _FORMS:
        if found := form.match(left):
            said = dict(zip(parts, found.groups(), strict=True))
            name = said.get("n")
            month = int(said["m"]) if name is None else _month(name)
            return Said(_year(said), month, int(said.get("d", "1")), time, offset, on)
    return None


def _offset(zone: str) -> int:
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").rjust(4, "0")
    ticks = (int(digits[:2]) * 60 + int(digits[2:])) * 60 * SECOND
    return -ticks if zone[0] == "-" else ticks


def _without_time(text: str) -> tuple[str, int | None]:
    """The text without its time of day, and that in ticks; _NEVER for one that no day has."""
    for found in _TIME.finditer(text):
        hours, minutes, seconds, fraction, half = found.groups()
        if minutes is None and half is None:
            continue
        hour, minute, second = int(hours), int(minutes or 0), int(seconds or 0)
        if half is not None:
            if not 1 <= hour <= 12:
                return text, _NEVER
            hour = hour % 12 + (12 if half == "pm" else 0)
        if hour > 23 or minute > 59 or second > 59:
            return text, _NEVER
        ticks = (hour * 3600 + minute * 60 + second) * SECOND + int((fraction or "0").ljust(7, "0"))
        before = text[: found.start()].removesuffix("t") if found.start() else ""
        return f"{before} {text[found.end() :]}", ticks
    return text, None


def _year(said: dict[str, str]) -> int | None:
    """Two digits are those of 1950 to 2049, as .NET's invariant calendar has them."""
    written = said.get("y") or said.get("s")
    if written is None:
        return None
    return int(written) + (0 if len(written) == 4 else 2000 if int(written) < 50 else 1900)


def _month(name: str) -> int:
    return 1 + next(i for i, each in enumerate(MONTHS) if each.lower().startswith(name))
