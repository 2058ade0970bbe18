"""Pictures of answers in a terminal: bars for categories, lines of blocks over time. It knows no API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aforo.cli import terminal

LABEL_WIDTH = 40
BLOCKS = "▁▂▃▄▅▆▇█"
TIME = frozenset({"timechart", "linechart", "areachart", "scatterchart"})


def show(
    names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]], render: dict[str, Any]
) -> bool:
    """Draws the answer; False when it has no column of numbers.

    `types` are Kusto's; `render` is the hint of the query (`visualization`, `title`). Kusto's rule for which
    column is what: the first is the x axis, further text columns name the series, numbers are drawn.
    """
    numbers = [i for i, t in enumerate(types) if t in terminal.NUMBERS and not (i == 0 and len(types) > 1)]
    if not numbers or not rows:
        return False
    title = render.get("title")
    if title:
        print(terminal.printable(str(title)))
    labels = [i for i in range(len(types)) if i not in numbers]
    if types[0] == "datetime" or render.get("visualization") in TIME:
        _lines(names, rows, [i for i in labels if i != 0], numbers)
    else:
        _bars(names, rows, labels, numbers)
    return True


def _lines(
    names: Sequence[str], rows: Sequence[Sequence[Any]], series: Sequence[int], numbers: Sequence[int]
) -> None:
    """One line of blocks per series, x from left to right, each between its least and greatest value."""
    points: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        group = " ".join(terminal.text_of(row[i]) for i in series)
        for i in numbers:
            name = f"{group} {names[i]}".strip() if len(numbers) > 1 or not group else group
            points.setdefault(name, []).append((terminal.text_of(row[0]), _number(row[i])))
    width = max(len(name) for name in points)
    room = max(10, terminal.out().width - width - 30)
    for name, values in points.items():
        ordered = [v for _, v in sorted(values)]
        least, greatest = min(ordered), max(ordered)
        # More points than room: neighbours share a block and the greatest of them is drawn, so no peak is lost.
        step = -(-len(ordered) // room)
        drawn = [max(ordered[i : i + step]) for i in range(0, len(ordered), step)]
        span = (greatest - least) or 1.0
        line = "".join(BLOCKS[round((v - least) / span * (len(BLOCKS) - 1))] for v in drawn)
        print(f"{terminal.printable(name):<{width}}  {line}  {least:g} to {greatest:g}")
    ends = sorted(x for values in points.values() for x, _ in values)
    print(f"{'':<{width}}  {ends[0]} to {ends[-1]}")


def _bars(
    names: Sequence[str], rows: Sequence[Sequence[Any]], labels: Sequence[int], numbers: Sequence[int]
) -> None:
    """One bar per row and number."""
    entries: list[tuple[str, float]] = []
    for row in rows:
        label = terminal.printable(" ".join(terminal.text_of(row[i]) for i in labels).replace("\n", " "))
        if len(label) > LABEL_WIDTH:
            label = f"{label[: LABEL_WIDTH - 1]}…"
        for i in numbers:
            name = f"{label} {names[i]}".strip() if len(numbers) > 1 or not label else label
            entries.append((name, _number(row[i])))
    width = max(len(name) for name, _ in entries)
    room = max(10, terminal.out().width - width - 16)
    greatest = max((abs(v) for _, v in entries), default=0.0) or 1.0
    for name, value in entries:
        print(f"{name:<{width}}  {'█' * round(abs(value) / greatest * room)} {value:g}")


def _number(value: Any) -> float:
    """A number of an answer: decimals may come as text, null counts as nothing."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
