"""What TimeZoneInfo does, over the time zone database of the machine; a machine without one knows UTC alone. Local is
UTC. A zone that an expression makes is a `CustomZone` (zone_custom.py); nothing here knows of it.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
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
from aforo.csharp.runtime.spans import DAY, SECOND, TimeSpan
from aforo.csharp.runtime.zone_history import rules_of
from aforo.csharp.runtime.zone_names import WINDOWS
from aforo.csharp.runtime.zone_rules import MINUTE, AdjustmentRule

_START: Final = datetime(1, 1, 1)  # noqa: DTZ001 - a clock on some wall


class Zone(Obj):
    """`info` says the offset of any moment."""

    __slots__ = ("id", "info")
    net_name = "System.TimeZoneInfo"

    def __init__(self, name: str, info: tzinfo) -> None:
        self.id = name
        self.info = info

    def base(self) -> int:
        """The offset without summer, in ticks."""
        year = datetime.now(UTC).year
        moments = [datetime(year, month, 1, tzinfo=self.info) for month in (1, 7)]
        return min(_ticks(m.utcoffset()) for m in moments)

    def rules(self) -> tuple[AdjustmentRule, ...]:
        return _history(self)

    def has_summer(self) -> bool:
        year = datetime.now(UTC).year
        return len({datetime(year, m, 1, tzinfo=self.info).utcoffset() for m in (1, 4, 7, 10)}) > 1

    def names(self) -> tuple[str, str, str]:
        """Shown, of standard time, of summer time."""
        if self is UTC_ZONE:
            standard = "Coordinated Universal Time"
            return f"(UTC) {standard}", standard, standard
        minutes = self.base() // SECOND // 60
        shown = (
            f"(UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}) {self.id}"
        )
        return shown, self.id, self.id.replace("Standard Time", "Daylight Time")

    def text(self, _spec: str | None = None) -> str:
        return display_name(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


UTC_ZONE: Final = Zone("UTC", UTC)


@lru_cache(maxsize=64)
def _history(zone: Zone) -> tuple[AdjustmentRule, ...]:
    return rules_of(zone.info, zone.base())


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
        return zone.base()


def _offsets(zone: Zone, wall_ticks: int) -> tuple[int, int]:
    """Of a time on the wall: before and after where the clock was changed."""
    wall = _wall(wall_ticks)
    try:
        return tuple(_ticks(wall.replace(tzinfo=zone.info, fold=f).utcoffset()) for f in (0, 1))  # type: ignore[return-value]
    except OverflowError:
        return zone.base(), zone.base()


def is_invalid(zone: Zone, value: DateTime) -> bool:
    """A time that the clock skips."""
    if value.kind:
        return False
    first, second = _offsets(zone, value.ticks)
    return first < second


def _shown(zone: Zone, value: DateTime) -> int:
    """What the clocks of the zone show: a time with a kind is a moment."""
    return value.ticks + _offset_at(zone, value.ticks) if value.kind else value.ticks


def is_ambiguous(zone: Zone, value: DateTime) -> bool:
    first, second = _offsets(zone, _shown(zone, value))
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


def _rule_at(zone: Zone, wall_ticks: int) -> AdjustmentRule | None:
    rules = zone.rules()
    day = date.fromordinal(min(max(wall_ticks // DAY, 0), date.max.toordinal() - 1) + 1)
    at = bisect_right(rules, day, key=lambda r: r.first) - 1
    return rules[at] if at >= 0 and day <= rules[at].last else None


def _in_summer(zone: Zone, wall_ticks: int, offset: int) -> bool:
    """Whether the offset is more than what the rule in force has without summer."""
    rule = _rule_at(zone, wall_ticks)
    return (
        rule is not None and rule.delta != 0 and offset // MINUTE != (zone.base() + rule.base_delta) // MINUTE
    )


def is_summer(zone: Zone, value: DateTime) -> bool:
    offset = offset_of(zone, value).ticks
    return _in_summer(zone, value.ticks + (offset if value.kind else 0), offset)


def is_summer_offset(zone: Zone, value: DateTimeOffset) -> bool:
    offset = _offset_at(zone, value.ticks)
    return _in_summer(zone, value.ticks + offset, offset)


def adjustment_rules(zone: Zone) -> list[AdjustmentRule]:
    return list(zone.rules())


def ambiguous_offsets(zone: Zone, value: DateTime) -> list[TimeSpan]:
    """Both offsets of a time that comes twice, the smaller one first."""
    if not is_ambiguous(zone, value):
        raise ArgumentException(
            "The supplied DateTime is not in an ambiguous time range.\r\nParameter name: dateTime"
        )
    return [TimeSpan(each) for each in sorted(_offsets(zone, _shown(zone, value)))]


def ambiguous_offsets_of_offset(zone: Zone, value: DateTimeOffset) -> list[TimeSpan]:
    return ambiguous_offsets(zone, DateTime(value.ticks + _offset_at(zone, value.ticks)))


def is_ambiguous_offset(zone: Zone, value: DateTimeOffset) -> bool:
    return is_ambiguous(zone, DateTime(value.ticks + _offset_at(zone, value.ticks)))


def base_offset(zone: Zone) -> TimeSpan:
    return TimeSpan(zone.base())


def has_summer(zone: Zone) -> bool:
    return zone.has_summer()


def display_name(zone: Zone) -> str:
    return zone.names()[0]


def standard_name(zone: Zone) -> str:
    return zone.names()[1]


def daylight_name(zone: Zone) -> str:
    return zone.names()[2]


def same_rules(zone: Zone, other: Zone | None) -> bool:
    own = given(other, "other")
    return (zone.base(), zone.rules()) == (own.base(), own.rules())


def clear_cached() -> None:
    """The zones of the machine do not change while it runs."""


def same_zone(zone: Zone, other: Any) -> bool:
    return isinstance(other, Zone) and zone == other


def local_from_utc(_zone: Zone, value: DateTime) -> DateTime:
    return DateTime(value.ticks, 2)


def utc_from_local(_zone: Zone, value: DateTime) -> DateTime:
    return DateTime(value.ticks, 1)
