"""The time ranges that clients write: ISO 8601 durations and intervals. It knows no clock: `now` is an argument."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aforo.errors import Invalid
from aforo.logs.question import US_PER_S, TimeRange

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)
# .NET's XmlConvert, which Azure's services use, counts a year as 365 days and a month as 30.
_SECONDS = {
    "years": 365 * 86_400,
    "months": 30 * 86_400,
    "weeks": 7 * 86_400,
    "days": 86_400,
    "hours": 3_600,
    "minutes": 60,
    "seconds": 1,
}
_MOMENT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$",
    re.IGNORECASE,
)
# Ten thousand years: longer is a mistake, and must not overflow what comes after.
_LONGEST_US = 10_000 * 366 * 86_400 * US_PER_S

_FORMS = "a duration (PT1H, P7D), start/end, start/duration or duration/end"


def parse_timespan(text: str, now_us: int) -> TimeRange:
    """The range that a client's `timespan` means; `Invalid` says what is wrong with it.

    A duration alone ends now. An interval whose end lies before its start is refused: Azure does it too, and
    an empty answer would hide the mistake.
    """
    text = text.strip()
    first, slash, second = text.partition("/")
    if not slash:
        duration = _duration_us(first)
        if duration is None:
            raise _refused(text, f"it is neither {_FORMS}")
        return TimeRange(now_us - duration, now_us)
    if second.upper().startswith("P") and first.upper().startswith("P"):
        raise _refused(text, "two durations do not say when")
    if (duration := _duration_us(second)) is not None:
        start = _moment_us(first, text)
        return TimeRange(start, start + duration)
    if (duration := _duration_us(first)) is not None:
        end = _moment_us(second, text)
        return TimeRange(end - duration, end)
    start, end = _moment_us(first, text), _moment_us(second, text)
    if end < start:
        raise _refused(text, "its end lies before its start")
    return TimeRange(start, end)


def moment_us(text: str) -> int:
    """An ISO 8601 time as unix microseconds; UTC where it names no zone. `Invalid` when it is none."""
    return _moment_us(text, text)


def _duration_us(text: str) -> int | None:
    match = _DURATION.match(text.strip().upper())
    if match is None:
        return None
    parts = {name: value for name, value in match.groupdict().items() if name != "sign" and value is not None}
    if not parts:
        return None
    total = sum(round(float(value) * _SECONDS[name] * US_PER_S) for name, value in parts.items())
    if match["sign"] or total > _LONGEST_US:
        raise _refused(text, "a duration is positive and shorter than ten thousand years")
    return total


def _moment_us(text: str, whole: str) -> int:
    match = _MOMENT.match(text.strip())
    if match is None:
        raise _refused(whole, f"{text.strip()!r} is no ISO 8601 time; the whole is {_FORMS}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        base = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise _refused(whole, f"{text.strip()!r}: {error}") from error
    us = int(base.timestamp()) * US_PER_S + int((fraction or "0").ljust(6, "0")[:6])
    if zone and zone[0] in "+-":
        offset = (int(zone[1:3]) * 60 + int(zone[-2:])) * 60 * US_PER_S
        us -= offset if zone[0] == "+" else -offset
    return us


def _refused(text: str, why: str) -> Invalid:
    return Invalid(
        f"The timespan {text!r} is not understood: {why}.", code="InvalidTimespan", target="timespan"
    )
