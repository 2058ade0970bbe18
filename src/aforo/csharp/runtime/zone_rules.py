"""TimeZoneInfo.AdjustmentRule and TransitionTime: the values, what .NET refuses in them, and the moments they name."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from aforo.csharp.runtime.dates import MIN_DATE, DateTime, DayOfWeek
from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentOutOfRangeException,
    InvalidTimeZoneException,
)
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.spans import DAY, SECOND, TimeSpan
from aforo.csharp.types import TypeDecl, declare, member

MINUTE: Final = 60 * SECOND
_MILLISECOND: Final = SECOND // 1000
LAST: Final = 5  # the week of a floating date that means the last one of the month


class TransitionTime(Obj):
    """When clocks change: a date of each year, or a weekday of a week of a month. `time` is in ticks of a day."""

    __slots__ = ("day", "day_of_week", "fixed", "month", "time", "week")
    net_name = "System.TimeZoneInfo+TransitionTime"

    def __init__(
        self, time: int, month: int, *, day: int = 1, week: int = 1, day_of_week: int = 0, fixed: bool = True
    ) -> None:
        self.time = time
        self.month = month
        self.day = day
        self.week = week
        self.day_of_week = DayOfWeek(day_of_week)
        self.fixed = fixed

    def key(self) -> tuple[int, ...]:
        return (self.time, self.month, self.day, self.week, self.day_of_week, self.fixed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TransitionTime) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def within(self, year: int) -> datetime:
        """The moment on the wall, in that year; of a day that the month does not have, its last."""
        if not self.month:  # default(TransitionTime)
            raise ArgumentOutOfRangeException(
                "Year, Month, and Day parameters describe an un-representable DateTime."
            )
        first = date(year, self.month, 1)
        following = date(year + (self.month == 12), self.month % 12 + 1, 1) if year < 9999 else None
        length = (following - first).days if following else 31
        if self.fixed:
            day = min(self.day, length)
        else:
            day = 1 + (int(self.day_of_week) - first.isoweekday()) % 7 + 7 * (self.week - 1)
            day -= 7 * (day > length)
        midnight = datetime(year, self.month, day)  # noqa: DTZ001 - a clock on some wall
        return midnight + timedelta(microseconds=self.time // 10)


class AdjustmentRule(Obj):
    """What holds from one date through another one; the spans are in ticks."""

    __slots__ = ("base_delta", "begin", "delta", "end", "first", "last")
    net_name = "System.TimeZoneInfo+AdjustmentRule"

    def __init__(
        self,
        first: date,
        last: date,
        delta: int,
        begin: TransitionTime,
        end: TransitionTime,
        base_delta: int = 0,
    ) -> None:
        self.first = first
        self.last = last
        self.delta = delta
        self.begin = begin
        self.end = end
        self.base_delta = base_delta

    def key(self) -> tuple[object, ...]:
        return (self.first, self.last, self.delta, self.begin.key(), self.end.key(), self.base_delta)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AdjustmentRule) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


def _time_of(value: DateTime) -> int:
    if value.kind:
        raise ArgumentException(
            "The supplied DateTime must have the Kind property set to DateTimeKind.Unspecified.\r\nParameter name: timeOfDay"
        )
    if value.ticks >= DAY or value.ticks % _MILLISECOND:
        raise ArgumentException(
            "The supplied DateTime must have the Year, Month, and Day properties set to 1.  The time cannot be specified more precisely than whole milliseconds.\r\nParameter name: timeOfDay"
        )
    return value.ticks


def _within(value: int, least: int, most: int, what: str, name: str) -> None:
    if not least <= value <= most:
        raise ArgumentOutOfRangeException(
            f"The {what} parameter must be in the range {least} through {most}.\r\nParameter name: {name}"
        )


def fixed_rule(time: DateTime, month: int, day: int) -> TransitionTime:
    ticks = _time_of(time)
    _within(month, 1, 12, "Month", "month")
    _within(day, 1, 31, "Day", "day")
    return TransitionTime(ticks, month, day=day)


def floating_rule(time: DateTime, month: int, week: int, day_of_week: int) -> TransitionTime:
    ticks = _time_of(time)
    _within(month, 1, 12, "Month", "month")
    _within(week, 1, 5, "Week", "week")
    _within(day_of_week, 0, 6, "DayOfWeek", "dayOfWeek")
    return TransitionTime(ticks, month, week=week, day_of_week=day_of_week, fixed=False)


def _date_of(value: DateTime, name: str) -> date:
    if value.kind:
        raise ArgumentException(
            f"The supplied DateTime must have the Kind property set to DateTimeKind.Unspecified.\r\nParameter name: {name}"
        )
    if value.ticks % DAY:
        raise ArgumentException(
            f"The supplied DateTime includes a TimeOfDay setting.   This is not supported.\r\nParameter name: {name}"
        )
    return date.fromordinal(value.ticks // DAY + 1)


def make_rule(
    first: DateTime,
    last: DateTime,
    delta: TimeSpan,
    begin: TransitionTime,
    end: TransitionTime,
    base_delta: TimeSpan | None = None,
) -> AdjustmentRule:
    made = AdjustmentRule(
        _date_of(first, "dateStart"),
        _date_of(last, "dateEnd"),
        delta.ticks,
        begin,
        end,
        base_delta.ticks if base_delta is not None else 0,
    )
    if made.first > made.last:
        raise ArgumentException(
            "The DateStart property must come before the DateEnd property.\r\nParameter name: dateStart"
        )
    for span, name in ((made.delta, "daylightDelta"), (made.base_delta, "baseUtcOffsetDelta")):
        if abs(span) > 14 * 60 * MINUTE:
            raise ArgumentOutOfRangeException(
                f"The TimeSpan parameter must be within plus or minus 14.0 hours.\r\nParameter name: {name}"
            )
        if span % MINUTE:
            raise ArgumentException(
                f"The TimeSpan parameter cannot be specified more precisely than whole minutes.\r\nParameter name: {name}"
            )
    if begin == end:
        raise ArgumentException(
            "The DaylightTransitionStart property must not equal the DaylightTransitionEnd property.\r\nParameter name: daylightTransitionEnd"
        )
    return made


def ordered(rules: list[AdjustmentRule | None] | None, base: int) -> tuple[AdjustmentRule, ...]:
    """The rules of a zone that an expression makes."""
    out: list[AdjustmentRule] = []
    for rule in rules or ():
        if rule is None:
            raise InvalidTimeZoneException("The AdjustmentRule array cannot contain null elements.")
        if abs(base + rule.base_delta + rule.delta) > 14 * 60 * MINUTE:
            raise InvalidTimeZoneException(
                "The sum of the BaseUtcOffset and DaylightDelta properties must within plus or minus 14.0 hours."
            )
        if out and rule.first <= out[-1].last:
            raise InvalidTimeZoneException(
                "The elements of the AdjustmentRule array must be in chronological order and must not overlap."
            )
        out.append(rule)
    return tuple(out)


def _day(value: date) -> DateTime:
    return DateTime((value.toordinal() - 1) * DAY)


def time_of_day(value: TransitionTime) -> DateTime:
    return DateTime(value.time)


def rule_start(rule: AdjustmentRule) -> DateTime:
    return _day(rule.first)


def rule_end(rule: AdjustmentRule) -> DateTime:
    return _day(rule.last)


def rule_delta(rule: AdjustmentRule) -> TimeSpan:
    return TimeSpan(rule.delta)


def rule_base_delta(rule: AdjustmentRule) -> TimeSpan:
    return TimeSpan(rule.base_delta)


def same_rule(rule: AdjustmentRule, other: object) -> bool:
    return rule == other


def same_transition(value: TransitionTime, other: object) -> bool:
    return value == other


_SPAN: Final = "DateTime dateStart, DateTime dateEnd, TimeSpan daylightDelta"
_TURNS: Final = (
    "TimeZoneInfo.TransitionTime daylightTransitionStart, TimeZoneInfo.TransitionTime daylightTransitionEnd"
)

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "TimeZoneInfo.TransitionTime",
        member("static TimeZoneInfo.TransitionTime CreateFixedDateRule(DateTime timeOfDay, int month, int day)", fixed_rule),
        member("static TimeZoneInfo.TransitionTime CreateFloatingDateRule(DateTime timeOfDay, int month, int week, DayOfWeek dayOfWeek)", floating_rule),
        member("DateTime TimeOfDay", time_of_day),
        member("int Month", attr="month"),
        member("int Week", attr="week"),
        member("int Day", attr="day"),
        member("DayOfWeek DayOfWeek", attr="day_of_week"),
        member("bool IsFixedDateRule", attr="fixed"),
        member("bool Equals(TimeZoneInfo.TransitionTime other)", same_transition),
        kind="struct",
        python=TransitionTime,
        default=TransitionTime(MIN_DATE.ticks, 0, day=0, week=0, fixed=False),
    ),
    declare(
        "TimeZoneInfo.AdjustmentRule",
        member(f"static TimeZoneInfo.AdjustmentRule CreateAdjustmentRule({_SPAN}, {_TURNS})", make_rule),
        member(f"static TimeZoneInfo.AdjustmentRule CreateAdjustmentRule({_SPAN}, {_TURNS}, TimeSpan baseUtcOffsetDelta)", make_rule),
        member("DateTime DateStart", rule_start),
        member("DateTime DateEnd", rule_end),
        member("TimeSpan DaylightDelta", rule_delta),
        member("TimeSpan BaseUtcOffsetDelta", rule_base_delta),
        member("TimeZoneInfo.TransitionTime DaylightTransitionStart", attr="begin"),
        member("TimeZoneInfo.TransitionTime DaylightTransitionEnd", attr="end"),
        member("bool Equals(TimeZoneInfo.AdjustmentRule other)", same_rule),
        python=AdjustmentRule,
    ),
)  # fmt: skip
