"""TimeZoneInfo, over the time zone database of the machine; a machine without one knows UTC alone. Local is UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from aforo.csharp.runtime.dates import DateTime, DateTimeOffset
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    TimeZoneNotFoundException,
    given,
)
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.spans import SECOND, TimeSpan
from aforo.csharp.runtime.zone_names import WINDOWS
from aforo.csharp.types import TypeDecl, declare, member

_START: Final = datetime(1, 1, 1)  # noqa: DTZ001 - a clock on some wall


class Zone(Obj):
    __slots__ = ("id", "info")
    net_name = "System.TimeZoneInfo"

    def __init__(self, name: str, info: tzinfo) -> None:
        self.id = name
        self.info = info

    def text(self, _spec: str | None = None) -> str:
        return display_name(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


UTC_ZONE: Final = Zone("UTC", UTC)


@lru_cache(maxsize=256)
def _find(name: str) -> Zone | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    folded = name.lower()
    if folded in ("utc", "etc/utc", "coordinated universal time"):
        return UTC_ZONE
    known = WINDOWS.get(folded, name)
    try:
        return Zone(name, ZoneInfo(known))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def find_zone(name: str | None) -> Zone:
    """By the name of Windows or of the tz database."""
    if name is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: id")
    found = _find(name) if name and len(name) < 100 else None
    if found is None:
        raise TimeZoneNotFoundException(f"The time zone ID '{name}' was not found on the local computer.")
    return found


def utc() -> Zone:
    return UTC_ZONE


def system_zones() -> list[Zone]:
    return [z for z in map(_find, ("UTC", *(n.title() for n in WINDOWS))) if z is not None]


def _wall(ticks: int) -> datetime:
    return _START + timedelta(microseconds=ticks // 10)


def _ticks(span: timedelta | None) -> int:
    return 0 if span is None else (span.days * 86400 + span.seconds) * SECOND


def _offset_at(zone: Zone, utc_ticks: int) -> int:
    """Of a moment."""
    try:
        return _ticks(_wall(utc_ticks).replace(tzinfo=UTC).astimezone(zone.info).utcoffset())
    except OverflowError:
        return _base(zone)


def _offsets(zone: Zone, wall_ticks: int) -> tuple[int, int]:
    """Of a time on the wall: before and after where the clock was changed."""
    wall = _wall(wall_ticks)
    try:
        return tuple(_ticks(wall.replace(tzinfo=zone.info, fold=f).utcoffset()) for f in (0, 1))  # type: ignore[return-value]
    except OverflowError:
        return _base(zone), _base(zone)


def _base(zone: Zone) -> int:
    year = datetime.now(UTC).year
    moments = [datetime(year, month, 1, tzinfo=zone.info) for month in (1, 7)]
    return min(_ticks(m.utcoffset()) for m in moments)


def is_invalid(zone: Zone, value: DateTime) -> bool:
    """A time that the clock skips."""
    if value.kind:
        return False
    first, second = _offsets(zone, value.ticks)
    return first < second


def is_ambiguous(zone: Zone, value: DateTime) -> bool:
    first, second = _offsets(zone, value.ticks)
    return first > second


def _from_wall(zone: Zone, value: DateTime) -> int:
    """UTC ticks of a time on the wall; of two the one of standard time."""
    first, second = _offsets(zone, value.ticks)
    if first < second:
        raise ArgumentException(
            "The supplied DateTime represents an invalid time.  For example, when the clock is adjusted forward, any time in the period that is skipped is invalid.\r\nParameter name: dateTime"
        )
    return value.ticks - second


def _kind(zone: Zone) -> int:
    return 1 if zone is UTC_ZONE else 0


def from_utc(value: DateTime, zone: Zone | None) -> DateTime:
    if value.kind == 2:
        value = DateTime(value.ticks, 1)
    to = given(zone, "destinationTimeZone")
    return DateTime(value.ticks + _offset_at(to, value.ticks), _kind(to))


def to_utc(value: DateTime) -> DateTime:
    return DateTime(value.ticks, 1)


def to_utc_from(value: DateTime, zone: Zone | None) -> DateTime:
    source = given(zone, "destinationTimeZone")
    if value.kind == 1:
        if source is not UTC_ZONE:
            raise ArgumentException(
                "The conversion could not be completed because the supplied DateTime did not have the Kind property set correctly.  For example, when the Kind property is DateTimeKind.Local, the source time zone must be TimeZoneInfo.Local.\r\nParameter name: sourceTimeZone"
            )
        return value
    return DateTime(_from_wall(source, value), 1)


def convert(value: DateTime, zone: Zone | None) -> DateTime:
    """`ConvertTime(value, zone)`: what has no kind is local, which is UTC."""
    return from_utc(DateTime(value.ticks, 1), zone)


def convert_between(value: DateTime, source: Zone | None, target: Zone | None) -> DateTime:
    return from_utc(to_utc_from(value, source), target)


def convert_offset(value: DateTimeOffset, zone: Zone | None) -> DateTimeOffset:
    return DateTimeOffset(value.ticks, _offset_at(given(zone, "destinationTimeZone"), value.ticks))


def convert_by_id(value: DateTime, name: str | None) -> DateTime:
    return convert(value, find_zone(name))


def convert_by_ids(value: DateTime, source: str | None, target: str | None) -> DateTime:
    return convert_between(value, find_zone(source), find_zone(target))


def convert_offset_by_id(value: DateTimeOffset, name: str | None) -> DateTimeOffset:
    return convert_offset(value, find_zone(name))


def offset_of(zone: Zone, value: DateTime) -> TimeSpan:
    if value.kind:
        return TimeSpan(_offset_at(zone, value.ticks))
    return TimeSpan(_offsets(zone, value.ticks)[1])


def offset_of_offset(zone: Zone, value: DateTimeOffset) -> TimeSpan:
    return TimeSpan(_offset_at(zone, value.ticks))


def is_summer(zone: Zone, value: DateTime) -> bool:
    return offset_of(zone, value).ticks != _base(zone)


def is_summer_offset(zone: Zone, value: DateTimeOffset) -> bool:
    return _offset_at(zone, value.ticks) != _base(zone)


def base_offset(zone: Zone) -> TimeSpan:
    return TimeSpan(_base(zone))


def has_summer(zone: Zone) -> bool:
    year = datetime.now(UTC).year
    return len({datetime(year, m, 1, tzinfo=zone.info).utcoffset() for m in (1, 4, 7, 10)}) > 1


def display_name(zone: Zone) -> str:
    minutes = _base(zone) // SECOND // 60
    if zone is UTC_ZONE:
        return "(UTC) Coordinated Universal Time"
    return f"(UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}) {zone.id}"


def standard_name(zone: Zone) -> str:
    return "Coordinated Universal Time" if zone is UTC_ZONE else zone.id


def daylight_name(zone: Zone) -> str:
    return standard_name(zone).replace("Standard Time", "Daylight Time")


def same_zone(zone: Zone, other: Any) -> bool:
    return isinstance(other, Zone) and zone == other


def local_from_utc(_zone: Zone, value: DateTime) -> DateTime:
    return DateTime(value.ticks, 2)


def utc_from_local(_zone: Zone, value: DateTime) -> DateTime:
    return DateTime(value.ticks, 1)


_CONVERT: Final = (
    ("DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone)", convert),
    ("DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone)", convert_between),
    ("DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone)", convert_offset),
    ("DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone)", from_utc),
    ("DateTime ConvertTimeToUtc(DateTime dateTime)", to_utc),
    ("DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone)", to_utc_from),
    ("DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId)", convert_by_id),
    ("DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string sourceTimeZoneId, string destinationTimeZoneId)", convert_by_ids),
    ("DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId)", convert_offset_by_id),
    ("TimeZoneInfo FindSystemTimeZoneById(string id)", find_zone),
    ("IReadOnlyList<TimeZoneInfo> GetSystemTimeZones()", system_zones),
)  # fmt: skip

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "TimeZoneInfo",
        member("static TimeZoneInfo Utc", const=UTC_ZONE),
        member("static TimeZoneInfo Local", const=UTC_ZONE),
        *(member(f"static {signature}", run) for signature, run in _CONVERT),
        member("string Id", attr="id"),
        member("string DisplayName", display_name),
        member("string StandardName", standard_name),
        member("string DaylightName", daylight_name),
        member("TimeSpan BaseUtcOffset", base_offset),
        member("bool SupportsDaylightSavingTime", has_summer),
        member("TimeSpan GetUtcOffset(DateTime dateTime)", offset_of),
        member("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", offset_of_offset),
        member("bool IsDaylightSavingTime(DateTime dateTime)", is_summer),
        member("bool IsDaylightSavingTime(DateTimeOffset dateTimeOffset)", is_summer_offset),
        member("bool IsInvalidTime(DateTime dateTime)", is_invalid),
        member("bool IsAmbiguousTime(DateTime dateTime)", is_ambiguous),
        member("bool Equals(TimeZoneInfo other)", same_zone),
        python=Zone,
    ),
    declare(
        "TimeZone",
        member("static TimeZone CurrentTimeZone", const=UTC_ZONE),
        member("string StandardName", standard_name),
        member("string DaylightName", daylight_name),
        member("TimeSpan GetUtcOffset(DateTime time)", offset_of),
        member("bool IsDaylightSavingTime(DateTime time)", is_summer),
        member("DateTime ToLocalTime(DateTime time)", local_from_utc),
        member("DateTime ToUniversalTime(DateTime time)", utc_from_local),
        python=Zone,
    ),
)
