"""How figures of several runs are written: medians with their spread, ratios, differences, rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles


def header(*cells: str) -> list[str]:
    """The first two lines of a table; all columns but the first are numbers."""
    return [row(*cells), row("---", *["---:"] * (len(cells) - 1))]


def row(*cells: str) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and in parentheses the least and the greatest when there are several."""
    return _with_spread(median(values), values, digits) if values else ""


def number(value: float, digits: int = 2) -> str:
    """With separators; fewer digits behind the point where there are many before it."""
    if value == float("inf"):
        return "none"
    if abs(value) >= 100:
        digits = 0
    elif abs(value) >= 10:
        digits = min(digits, 1)
    # What rounds to nothing has no sign.
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def ratio(ours: Sequence[float], other: Sequence[float]) -> str:
    """Median against median, and the least and greatest of the ratios turn by turn; nothing where one is missing."""
    if not all(other):
        return ""
    if ours and list(ours) == list(other):
        return number(1.0)
    return _against(ours, other, lambda a, b: a / b)


def difference(ours: Sequence[float], other: Sequence[float], digits: int = 2) -> str:
    """Median less median, and the least and greatest of the differences turn by turn; nothing where one is missing."""
    return _against(ours, other, lambda a, b: a - b, digits)


def late(values: Sequence[float]) -> float:
    """Where the slowest tenth begins."""
    return quantiles(values, n=10)[-1] if len(values) > 1 else values[0]


def size(count: int) -> str:
    """Bytes as one says them."""
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count >> 10} KB"


def _against(
    ours: Sequence[float],
    other: Sequence[float],
    made: Callable[[float, float], float],
    digits: int = 2,
) -> str:
    # Where a turn is missing on one side, it counts on neither.
    turns = list(zip(ours, other, strict=False))
    if not turns:
        return ""
    whole = made(median(a for a, _ in turns), median(b for _, b in turns))
    return _with_spread(whole, [made(a, b) for a, b in turns], digits)


def _with_spread(middle: float, values: Sequence[float], digits: int) -> str:
    text = number(middle, digits)
    if len(values) == 1:
        return text
    return f"{text} ({number(min(values), digits)} to {number(max(values), digits)})"
