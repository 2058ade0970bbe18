"""Pictures of answers in a terminal: bars, columns and shares of categories, plots over time. It knows no API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aforo.cli import terminal

LABEL_WIDTH = 40
BLOCKS = " ▁▂▃▄▅▆▇█"
ALONG = frozenset({"timechart", "linechart", "areachart", "stackedareachart", "scatterchart", "anomalychart"})
_HEIGHT = 8
# More series than this are drawn in one line each.
_TALL_SERIES = 3


@dataclass(frozen=True, slots=True)
class _Roles:
    """Which column is what: the x axis, those whose text names a series, those that are drawn."""

    x: int
    series: tuple[int, ...]
    numbers: tuple[int, ...]


def show(
    names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]], render: dict[str, Any]
) -> bool:
    """Draws the answer; False when it has no column of numbers.

    `types` are Kusto's; `render` is the hint of the query (`visualization`, `title`, `xcolumn`, `ycolumns`,
    `series`). Without hints Kusto's rule says which column is what: the first is the x axis, further text columns
    name the series, numbers are drawn.
    """
    roles = _roles(names, types, render)
    if not roles.numbers or not rows:
        return False
    if title := render.get("title"):
        print(terminal.printable(str(title)))
    kind = render.get("visualization")
    if kind in ALONG or (kind is None and types[roles.x] == "datetime"):
        _plots(names, types, rows, roles)
        return True
    entries = _entries(names, rows, roles)
    if kind == "piechart":
        _shares(entries)
    elif kind != "columnchart" or not _columns(entries):
        _bars(entries)
    return True


def _roles(names: Sequence[str], types: Sequence[str], render: dict[str, Any]) -> _Roles:
    def named(hint: str) -> tuple[int, ...]:
        said = render.get(hint) or ()
        wanted = said.split(",") if isinstance(said, str) else said
        return tuple(names.index(n.strip()) for n in wanted if n.strip() in names)

    x = next(iter(named("xcolumn")), 0)
    numbers = named("ycolumns") or tuple(
        i for i, t in enumerate(types) if t in terminal.NUMBERS and not (i == x and len(types) > 1)
    )
    series = named("series") or tuple(i for i in range(len(types)) if i not in numbers and i != x)
    return _Roles(x, series, numbers)


# -- along an axis -------------------------------------------------------------------------------------


def _plots(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]], roles: _Roles) -> None:
    """A plot per series, x from left to right; many series are one line of blocks each."""
    points: dict[str, list[tuple[float, float]]] = {}
    labels: list[tuple[float, str]] = []
    for number, row in enumerate(rows):
        x = _along(row[roles.x], types[roles.x], number)
        labels.append((x, terminal.text_of(row[roles.x])))
        group = " ".join(terminal.text_of(row[i]) for i in roles.series)
        for i in roles.numbers:
            name = f"{group} {names[i]}".strip() if len(roles.numbers) > 1 or not group else group
            value = _number(row[i])
            points.setdefault(name, [])
            if value is not None:
                points[name].append((x, value))
    labels.sort()
    first, last = labels[0], labels[-1]
    width = max(len(terminal.printable(name)) for name in points)
    for name, values in points.items():
        if len(points) <= _TALL_SERIES and len(values) > 1:
            _tall(name if len(points) > 1 else "", values, first[0], last[0])
        else:
            room = max(10, terminal.out().width - width - 30)
            line, least, greatest = _line(values, first[0], last[0], room)
            print(f"{terminal.printable(name):<{width}}  {line}  {least:g} to {greatest:g}")
    print(terminal.printable(f"{first[1]} to {last[1]}"))


def _tall(name: str, values: Sequence[tuple[float, float]], first: float, last: float) -> None:
    """A plot of eight lines with its greatest and least value beside it."""
    greatest = max(v for _, v in values)
    floor = min(0.0, min(v for _, v in values))
    margin = max(len(f"{greatest:g}"), len(f"{floor:g}"))
    room = max(10, min(terminal.out().width - margin - 3, 100))
    cells = _binned(values, first, last, room)
    span = (greatest - floor) or 1.0
    if name:
        print(terminal.printable(name))
    for level in reversed(range(_HEIGHT)):
        label = f"{greatest:g}" if level == _HEIGHT - 1 else f"{floor:g}" if level == 0 else ""
        line = "".join(_block(c, floor, span, level) for c in cells)
        print(f"{label:>{margin}} ┤{line}".rstrip())


def _block(value: float | None, floor: float, span: float, level: int) -> str:
    if value is None:
        return " "
    eighths = max(1, round((value - floor) / span * _HEIGHT * 8)) - level * 8
    return BLOCKS[min(max(eighths, 0), 8)]


def _line(
    values: Sequence[tuple[float, float]], first: float, last: float, room: int
) -> tuple[str, float, float]:
    if not values:
        return "", 0.0, 0.0
    least, greatest = min(v for _, v in values), max(v for _, v in values)
    span = (greatest - least) or 1.0
    cells = _binned(values, first, last, room)
    line = "".join(" " if c is None else BLOCKS[1 + round((c - least) / span * 7)] for c in cells)
    return line, least, greatest


def _binned(
    values: Sequence[tuple[float, float]], first: float, last: float, room: int
) -> list[float | None]:
    """The greatest value at each place, so that no peak is lost; None where there is none.

    Points that would leave gaps only because there are fewer of them than places stand side by side.
    """
    wide = (last - first) or 1.0
    count = min(room, len({x for x, _ in values}))
    cells: list[float | None] = [None] * max(count, 1)
    for x, value in values:
        at = min(int((x - first) / wide * len(cells)), len(cells) - 1)
        old = cells[at]
        cells[at] = value if old is None else max(old, value)
    return cells


def _along(value: Any, kind: str, number: int) -> float:
    """Where a value lies on the x axis: a time, a number, or the place of its row."""
    if kind == "datetime" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            return float(number)
    found = _number(value) if kind in terminal.NUMBERS else None
    return float(number) if found is None else found


# -- categories ----------------------------------------------------------------------------------------


def _entries(names: Sequence[str], rows: Sequence[Sequence[Any]], roles: _Roles) -> list[tuple[str, float]]:
    """One entry per row and number, with its label."""
    out: list[tuple[str, float]] = []
    labels = [i for i in (roles.x, *roles.series) if i not in roles.numbers]
    for row in rows:
        label = terminal.printable(" ".join(terminal.text_of(row[i]) for i in labels).replace("\n", " "))
        if len(label) > LABEL_WIDTH:
            label = f"{label[: LABEL_WIDTH - 1]}…"
        for i in roles.numbers:
            name = f"{label} {names[i]}".strip() if len(roles.numbers) > 1 or not label else label
            out.append((name, _number(row[i]) or 0.0))
    return out


def _bars(entries: Sequence[tuple[str, float]]) -> None:
    """One bar per entry, from left to right."""
    width = max(len(name) for name, _ in entries)
    room = max(10, terminal.out().width - width - 16)
    greatest = max((abs(v) for _, v in entries), default=0.0) or 1.0
    for name, value in entries:
        print(f"{name:<{width}}  {'█' * round(abs(value) / greatest * room)} {value:g}")


def _shares(entries: Sequence[tuple[str, float]]) -> None:
    """Each entry's share of the whole, the greatest first."""
    whole = sum(v for _, v in entries if v > 0) or 1.0
    width = max(len(name) for name, _ in entries)
    room = max(10, min(terminal.out().width - width - 24, 50))
    for name, value in sorted(entries, key=lambda e: -e[1]):
        share = max(value, 0.0) / whole
        print(f"{name:<{width}}  {'█' * round(share * room):<{room}} {share:6.1%} {value:g}")


def _columns(entries: Sequence[tuple[str, float]]) -> bool:
    """Columns from the bottom up, their labels beneath; False where they do not fit beside each other."""
    width = max(max(len(name), len(f"{value:g}")) for name, value in entries)
    if (width + 2) * len(entries) > terminal.out().width or any(value < 0 for _, value in entries):
        return False
    greatest = max(value for _, value in entries) or 1.0
    for level in reversed(range(_HEIGHT)):
        cells = (_column(value / greatest, level, width) for _, value in entries)
        line = "  ".join(cells).rstrip()
        if line:
            print(line)
    print("  ".join(f"{value:^{width}g}" for _, value in entries).rstrip())
    print("  ".join(f"{name:^{width}}" for name, _ in entries).rstrip())
    return True


def _column(share: float, level: int, width: int) -> str:
    eighths = min(max(round(share * _HEIGHT * 8) - level * 8, 0), 8)
    drawn = BLOCKS[eighths] * min(width, 6)
    return f"{drawn:^{width}}"


def _number(value: Any) -> float | None:
    """A number of an answer: decimals may come as text; None for null and what is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if number - number == 0 else None
