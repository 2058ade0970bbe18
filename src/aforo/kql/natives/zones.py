"""Time zones, by the names of the IANA database."""

from __future__ import annotations

import zoneinfo
from datetime import UTC
from functools import lru_cache

from aforo.kql.natives.spec import Native, native, written
from aforo.kql.ticks import MAX_DATETIME, TICKS_PER_S, from_datetime, to_datetime
from aforo.kql.types import DATETIME, DYNAMIC, STRING


@lru_cache(maxsize=256)
def zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _inside(ticks: int) -> int | None:
    return ticks if 0 <= ticks <= MAX_DATETIME else None


def datetime_utc_to_local(ticks: int | None, name: str) -> int | None:
    found = zone(name)
    if ticks is None or found is None:
        return None
    try:
        local = to_datetime(ticks - ticks % TICKS_PER_S).astimezone(found)
    except OverflowError:
        return None
    return _inside(from_datetime(local.replace(tzinfo=UTC)) + ticks % TICKS_PER_S)


def datetime_local_to_utc(ticks: int | None, name: str) -> int | None:
    """A moment that the clocks jump over is read with the later offset; one that comes twice is the first."""
    found = zone(name)
    if ticks is None or found is None:
        return None
    plain = to_datetime(ticks - ticks % TICKS_PER_S).replace(tzinfo=found)
    try:
        moment = plain.astimezone(UTC)
        if moment.astimezone(found).replace(tzinfo=None) != plain.replace(tzinfo=None):
            moment = plain.replace(fold=1).astimezone(UTC)
    except OverflowError:
        return None
    return _inside(from_datetime(moment) + ticks % TICKS_PER_S)


def datetime_list_timezones() -> str | None:
    return written(sorted(zoneinfo.available_timezones()))


NATIVES: tuple[Native, ...] = (
    native("datetime_utc_to_local", datetime_utc_to_local, DATETIME, DATETIME, STRING),
    native("datetime_local_to_utc", datetime_local_to_utc, DATETIME, DATETIME, STRING),
    native("datetime_list_timezones", datetime_list_timezones, DYNAMIC),
)
