"""The adjustment rules of a zone of the time zone database, in the form that Windows has them: whole years where a
year can be said so, one rule for all years in a row that a law of weekdays or dates covers, the last one without end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from aforo.csharp.runtime.spans import DAY, SECOND
from aforo.csharp.runtime.zone_rules import LAST, AdjustmentRule, TransitionTime

_FIRST: Final = datetime(1840, 1, 1, tzinfo=UTC)  # before any zone had a clock of its own
_HORIZON: Final = (
    2100  # laws that no rule can say are said year by year until here; the last one then goes on
)
_STRIDE: Final = timedelta(days=7)
_MOST: Final = 14 * 3600  # seconds that a rule may shift a clock by
_NO_CHANGE: Final = (
    TransitionTime(0, 1),
    TransitionTime(SECOND // 1000, 1),
)  # as .NET marks a rule without summer
_NEW_YEAR: Final = (TransitionTime(0, 1),)


@dataclass(frozen=True, slots=True)
class _Change:
    """`wall` is the time that the clocks showed when they were changed; offsets are in seconds."""

    wall: datetime
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A rule in the making. `begin` and `end` hold every way to say when summer begins and ends, best first."""

    first: date
    last: date
    base: int
    delta: int = 0
    begin: tuple[TransitionTime, ...] = ()
    end: tuple[TransitionTime, ...] = ()


def rules_of(info: tzinfo, base: int) -> tuple[AdjustmentRule, ...]:
    """`base`: the zone's offset from UTC in ticks, without summer."""
    standard = base // SECOND
    pieces: list[_Piece] = []
    # From the end: the law that holds now reaches back as far as it can.
    for piece in reversed(list(_pieces(info))):
        joined = _joined(piece, pieces[-1]) if pieces else None
        if joined is not None:
            pieces[-1] = joined
        else:
            pieces.append(piece)
    return tuple(_rule(p, standard) for p in reversed(pieces) if p.delta or p.base != standard)


def _rule(piece: _Piece, standard: int) -> AdjustmentRule:
    begin, end = (piece.begin[0], piece.end[0]) if piece.delta else _NO_CHANGE
    shift = (piece.base - standard) * SECOND
    return AdjustmentRule(piece.first, piece.last, piece.delta * SECOND, begin, end, shift)


def _minutes(offset: timedelta | None) -> int:
    """In seconds, cut to whole minutes: rules know no smaller ones."""
    return 0 if offset is None else int(offset.total_seconds() / 60) * 60


def _changes(info: tzinfo) -> Iterator[_Change]:
    now = _FIRST
    before = now.astimezone(info).utcoffset()
    while now.year <= _HORIZON:
        later = now + _STRIDE
        if later.astimezone(info).utcoffset() == before:
            now = later
            continue
        while later - now > timedelta(seconds=1):
            middle = now + timedelta(seconds=int((later - now).total_seconds()) // 2)
            if middle.astimezone(info).utcoffset() == before:
                now = middle
            else:
                later = middle
        after = later.astimezone(info).utcoffset()
        if _minutes(before) != _minutes(after):
            shown = now.astimezone(info).replace(tzinfo=None) + timedelta(seconds=1)
            yield _Change(shown, _minutes(before), _minutes(after))
        now, before = later, after


def _pieces(info: tzinfo) -> Iterator[_Piece]:
    """What can be said with one rule each, in order, from the first day of .NET's calendar to its last."""
    changes = [c for c in _changes(info) if c.wall.year <= _HORIZON]
    offset = _minutes(_FIRST.astimezone(info).utcoffset())
    if not changes:
        yield _Piece(date.min, date.max, offset)
        return
    since = changes[0].wall.year
    yield _Piece(date.min, date(since - 1, 12, 31), offset)
    by_year: dict[int, list[_Change]] = {}
    for change in changes:
        by_year.setdefault(change.wall.year, []).append(change)
    for year in range(since, _HORIZON + 1):
        last = date.max if year == _HORIZON else date(year, 12, 31)
        own = by_year.get(year, [])
        yield from _year(date(year, 1, 1), last, own, offset)
        offset = own[-1].after if own else offset


def _year(first: date, last: date, changes: list[_Change], offset: int) -> Iterator[_Piece]:
    if not changes:
        yield _Piece(first, last, offset)
        return
    change = changes[0]
    # What a rule cannot tell from the beginning of the year itself.
    midnight = datetime(first.year, first.month, first.day)  # noqa: DTZ001 - a clock on some wall
    at_once = change.wall - midnight <= timedelta(seconds=max(change.before - change.after, 0))
    away = not at_once and len(changes) > 1 and changes[1].after == change.before
    away = away and changes[1].wall.date() > change.wall.date()
    rest = changes[2:] if away else changes[1:]
    until = rest[0].wall.date() - timedelta(days=1) if rest else last
    if abs(change.after - change.before) > _MOST:  # the date line
        yield _Piece(first, change.wall.date() - timedelta(days=1), change.before)
        yield from _year(change.wall.date(), last, changes[1:], change.after)
        return
    if at_once:
        yield _Piece(first, until, change.after)
    elif until >= first:
        leave = _ways(change.wall)
        back = _ways(changes[1].wall) if away else _NEW_YEAR
        delta = change.after - change.before
        if delta > 0:
            yield _Piece(first, until, change.before, delta, leave, back)
        else:
            yield _Piece(first, until, change.after, -delta, back, leave)
    if rest:
        yield from _year(until + timedelta(days=1), last, rest, rest[0].before)


def _ways(wall: datetime) -> tuple[TransitionTime, ...]:
    """All transition times that name this moment in its year; midnight is also the end of the day before."""
    ticks = (wall.hour * 3600 + wall.minute * 60 + wall.second) * SECOND
    out = _days(wall.date(), ticks)
    if not ticks and (wall.month, wall.day) != (1, 1):
        out += _days(wall.date() - timedelta(days=1), DAY - SECOND // 1000)
    return tuple(out)


def _days(day: date, ticks: int) -> list[TransitionTime]:
    weekday = day.isoweekday() % 7
    weeks = [LAST] if (day + timedelta(days=7)).month != day.month else []
    if day.day <= 28:
        weeks.append((day.day + 6) // 7)
    floating = [TransitionTime(ticks, day.month, week=w, day_of_week=weekday, fixed=False) for w in weeks]
    return [*floating, TransitionTime(ticks, day.month, day=day.day)]


def _joined(earlier: _Piece, later: _Piece) -> _Piece | None:
    """Both as one rule: whole years with the same clocks, and a way to say their changes that holds for all."""
    same = (earlier.base, earlier.delta) == (later.base, later.delta)
    whole = (earlier.first.month, earlier.first.day) == (1, 1) and later.first.month == 1 == later.first.day
    if not same or not whole or earlier.last + timedelta(days=1) != later.first:
        return None
    if later.last.month != 12 or later.last.day != 31:
        return None
    begin = tuple(w for w in later.begin if w in earlier.begin)
    end = tuple(w for w in later.end if w in earlier.end)
    if later.delta and not (begin and end):
        return None
    return replace(later, first=earlier.first, begin=begin, end=end)
