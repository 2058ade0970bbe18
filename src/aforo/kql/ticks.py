"""Datetimes and timespans as counts of 100 ns: from text and back. Datetimes count from 0001-01-01 (UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

TICKS_PER_US = 10
TICKS_PER_MS = 10_000
TICKS_PER_S = 10_000_000
TICKS_PER_MIN = 60 * TICKS_PER_S
TICKS_PER_H = 60 * TICKS_PER_MIN
TICKS_PER_DAY = 24 * TICKS_PER_H
# 1970-01-01 in ticks.
UNIX_EPOCH = 621_355_968_000_000_000
MAX_DATETIME = 3_155_378_975_999_999_999

UNITS: dict[str, int] = {
    "tick": 1, "ticks": 1,
    "microsecond": TICKS_PER_US, "microseconds": TICKS_PER_US,
    "ms": TICKS_PER_MS, "milli": TICKS_PER_MS, "millis": TICKS_PER_MS, "millisecond": TICKS_PER_MS,
    "milliseconds": TICKS_PER_MS,
    "s": TICKS_PER_S, "sec": TICKS_PER_S, "second": TICKS_PER_S, "seconds": TICKS_PER_S,
    "m": TICKS_PER_MIN, "min": TICKS_PER_MIN, "minute": TICKS_PER_MIN, "minutes": TICKS_PER_MIN,
    "h": TICKS_PER_H, "hr": TICKS_PER_H, "hrs": TICKS_PER_H, "hour": TICKS_PER_H, "hours": TICKS_PER_H,
    "d": TICKS_PER_DAY, "day": TICKS_PER_DAY, "days": TICKS_PER_DAY,
}  # fmt: skip

# Python refuses to read more than some thousand digits, and no type of Kusto's holds a hundred.
_LONGEST_NUMBER = 100

_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[T ]+(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)
_SLASHED = re.compile(
    r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?\s*(Z|AM|PM)?$",
    re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})$")
_YEAR = re.compile(r"(\d{4})$")
_CLOCK = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$")
_NUMBER_UNIT = re.compile(r"(-?\d+(?:\.\d+)?)\s*([a-z]+)$", re.IGNORECASE)


def from_datetime(value: datetime) -> int:
    """Ticks of an aware datetime (a naive one is taken as UTC)."""
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * TICKS_PER_S + delta.microseconds * TICKS_PER_US


def to_datetime(ticks: int) -> datetime:
    """The aware datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ticks // TICKS_PER_US)


def parse_datetime(text: str) -> int | None:
    """Ticks of a datetime as people write it, None when it is none."""
    text = text.strip().strip("'\"").strip()
    zone = None
    if m := _ISO.match(text):
        year, month, day, hour, minute, second, fraction, zone = m.groups()
    elif m := _SLASHED.match(text):
        month, day, year, hour, minute, second, fraction, zone = m.groups()
        if zone and zone[0] not in "Zz":
            hour, zone = _of_halves(hour, zone), None
    elif m := _COMPACT.match(text):
        (year, month, day), (hour, minute, second, fraction) = m.groups(), (None,) * 4
    elif m := _YEAR.match(text):
        (year,), (month, day, hour, minute, second, fraction) = m.groups(), (None,) * 6
    else:
        return _worded(text)
    try:
        base = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    ticks = from_datetime(base) + int((fraction or "0").ljust(7, "0")[:7])
    if zone and zone[0] in "+-":
        offset = int(zone[1:3]) * 60 + int(zone[-2:])
        ticks -= (offset if zone[0] == "+" else -offset) * TICKS_PER_MIN
    return ticks if 0 <= ticks <= MAX_DATETIME else None


def _of_halves(hour: str | None, half: str) -> str:
    """The hour of the day of `12 AM`; one that no clock of twelve hours shows is none of a day either."""
    if hour is None or not 1 <= int(hour) <= 12:
        return "24"
    return str(int(hour) % 12 + (12 if half[0] in "Pp" else 0))


# As mails and web servers write them; the names are English.
_WORDED = (
    "%a, %d %b %Y %H:%M:%S", "%a, %d %b %y %H:%M:%S", "%a, %d %b %Y %H:%M", "%a, %d %b %y %H:%M", "%d %b %Y %H:%M:%S",
    "%d %b %y %H:%M:%S", "%d %b %Y %H:%M", "%d %b %y %H:%M", "%A, %d-%b-%y %H:%M:%S", "%d %b %Y", "%b %d %Y",
)  # fmt: skip
_WORD = re.compile(r"[A-Z][a-z]{2}")


def _worded(text: str) -> int | None:
    if len(text) > 40 or not _WORD.search(text):
        return None
    text = re.sub(r"\s*(?:GMT|UTC|Z)$", "", text)
    for form in _WORDED:
        try:
            return from_datetime(datetime.strptime(text, form).replace(tzinfo=UTC))
        except ValueError:
            continue
    return None


def parse_timespan(text: str) -> int | None:
    """Ticks of `1.02:03:04.5`, `1h`, `1.5 days` or a bare number of days, None when it is none."""
    ticks = _span(text.strip().strip("'\"").strip())
    return ticks if ticks is not None and abs(ticks) < 1 << 63 else None


def _span(text: str) -> int | None:
    if m := _CLOCK.match(text):
        sign, days, hour, minute, second, fraction = m.groups()
        ticks = whole(days or "0") * TICKS_PER_DAY + int(hour) * TICKS_PER_H + int(minute) * TICKS_PER_MIN
        ticks += int(second or 0) * TICKS_PER_S + int((fraction or "0").ljust(7, "0"))
        return -ticks if sign else ticks
    if m := _NUMBER_UNIT.match(text):
        return span_of(m.group(1), m.group(2))
    if re.fullmatch(r"-?\d+", text):
        return whole(text) * TICKS_PER_DAY
    return None


def span_of(number: str, unit: str) -> int | None:
    """Ticks of a number with a unit (`2.5`, `h`)."""
    per = UNITS.get(unit.lower())
    if per is None:
        return None
    return round(float(number[:_LONGEST_NUMBER]) * per) if "." in number else whole(number) * per


def whole(digits: str, base: int = 10) -> int:
    """A whole number as it is written; one of absurd length is cut, and is out of every range all the same."""
    return int(digits[:_LONGEST_NUMBER], base)


def format_datetime(ticks: int) -> str:
    """ISO 8601 with as many of the seven digits as are needed, as Log Analytics prints it."""
    moment = to_datetime(ticks - ticks % TICKS_PER_S)
    fraction = f"{ticks % TICKS_PER_S:07d}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if fraction else "") + "Z"
