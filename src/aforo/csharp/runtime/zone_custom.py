"""Time zones that an expression makes: clocks that follow its adjustment rules."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, timedelta, tzinfo

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentOutOfRangeException,
    given,
)
from aforo.csharp.runtime.spans import SECOND, TimeSpan
from aforo.csharp.runtime.zone_rules import MINUTE, AdjustmentRule, ordered
from aforo.csharp.runtime.zones import Zone

_DAY_BEFORE, _DAY_AFTER = timedelta(days=-1), timedelta(days=1)


def _span(ticks: int) -> timedelta:
    return timedelta(seconds=ticks // SECOND)


class RuledClock(tzinfo):
    """What rules say, as Python asks for it: of a time that comes twice, `fold` 0 is the first."""

    def __init__(self, base: int, rules: tuple[AdjustmentRule, ...]) -> None:
        self.base = _span(base)
        self.rules = rules

    def _rule(self, day: date) -> AdjustmentRule | None:
        at = bisect_right(self.rules, day, key=lambda rule: rule.first) - 1
        return self.rules[at] if at >= 0 and day <= self.rules[at].last else None

    def _offset_at(self, moment: datetime) -> timedelta:
        """Of a moment in UTC, written without a zone."""
        try:
            day = (moment + self.base).date()
        except OverflowError:
            day = moment.date()
        rule = self._rule(day)
        if rule is None:
            return self.base
        standard = self.base + _span(rule.base_delta)
        summer = standard + _span(rule.delta)
        begin, end = rule.begin.within(day.year) - standard, rule.end.within(day.year) - summer
        inside = begin <= moment < end if begin < end else moment >= begin or moment < end
        return summer if inside else standard

    def utcoffset(self, wall: datetime | None) -> timedelta:
        if wall is None:
            return self.base
        shown = wall.replace(tzinfo=None, fold=0)
        offsets = {self.base}
        for near in (_DAY_BEFORE, timedelta(), _DAY_AFTER):
            try:
                rule = self._rule((shown + near).date())
            except OverflowError:
                continue
            if rule is not None:
                standard = self.base + _span(rule.base_delta)
                offsets |= {standard, standard + _span(rule.delta)}
        both = [o for o in offsets if self._fits(shown, o)]
        if both:  # one, or two where the time comes twice: the larger offset is the earlier moment
            return max(both) if wall.fold == 0 else min(both)
        around = sorted(offsets)  # a time that is skipped: the clock before, the clock after
        return around[0] if wall.fold == 0 else around[-1]

    def _fits(self, shown: datetime, offset: timedelta) -> bool:
        try:
            return self._offset_at(shown - offset) == offset
        except OverflowError:
            return offset == self.base

    def dst(self, _wall: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, _wall: datetime | None) -> str | None:
        return None

    def fromutc(self, moment: datetime) -> datetime:
        offset = self._offset_at(moment.replace(tzinfo=None))
        shown = moment + offset
        return shown if self.utcoffset(shown) == offset else shown.replace(fold=1)


class CustomZone(Zone):
    __slots__ = ("_base", "_names", "_rules")

    def __init__(
        self, name: str, base: int, names: tuple[str, str, str], rules: tuple[AdjustmentRule, ...]
    ) -> None:
        super().__init__(name, RuledClock(base, rules))
        self._base = base
        self._names = names
        self._rules = rules

    def base(self) -> int:
        return self._base

    def rules(self) -> tuple[AdjustmentRule, ...]:
        return self._rules

    def names(self) -> tuple[str, str, str]:
        return self._names

    def has_summer(self) -> bool:
        return any(rule.delta for rule in self._rules)


def make_ruled_zone(
    name: str | None,
    base: TimeSpan,
    shown: str | None,
    standard: str | None,
    summer: str | None = None,
    rules: list[AdjustmentRule | None] | None = None,
    without_summer: bool = False,
) -> CustomZone:
    own = given(name, "id")
    if not own:
        raise ArgumentException("The specified ID parameter '' is not supported.\r\nParameter name: id")
    if abs(base.ticks) > 14 * 60 * MINUTE:
        raise ArgumentOutOfRangeException(
            "The TimeSpan parameter must be within plus or minus 14.0 hours.\r\nParameter name: baseUtcOffset"
        )
    if base.ticks % MINUTE:
        raise ArgumentException(
            "The TimeSpan parameter cannot be specified more precisely than whole minutes.\r\nParameter name: baseUtcOffset"
        )
    kept = ordered(rules, base.ticks)
    names = (shown or "", standard or "", ("" if without_summer else summer) or "")
    return CustomZone(own, base.ticks, names, () if without_summer else kept)


def make_fixed_zone(name: str | None, base: TimeSpan, shown: str | None, standard: str | None) -> CustomZone:
    """Without rules; summer is named as the rest of the year."""
    return make_ruled_zone(name, base, shown, standard, standard)
