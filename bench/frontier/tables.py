"""How figures of several runs are written: medians with their spread, ratios, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a run of the whole is: seconds of one load, runs of the same load, searches for a frontier."""

    seconds: float
    runs: int
    searches: int
    quick: bool = False


def header(*cells: str) -> list[str]:
    """The first two lines of a table; all columns but the first are numbers."""
    return [row(*cells), row("---", *["---:"] * (len(cells) - 1))]


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and in parentheses the least and the greatest when there are several."""
    if not values:
        return ""
    text = number(median(values), digits)
    if len(values) == 1:
        return text
    return f"{text} ({number(min(values), digits)} to {number(max(values), digits)})"


def number(value: float, digits: int = 2) -> str:
    """With separators; fewer digits behind the point where there are many before it."""
    if value == float("inf"):
        return "none"
    if value >= 100:
        digits = 0
    elif value >= 10:
        digits = min(digits, 1)
    return f"{value:,.{digits}f}"


def ratio(ours: Sequence[float], other: Sequence[float]) -> str:
    """Median to median; nothing where one is missing."""
    return f"{median(ours) / median(other):.2f}" if ours and other and median(other) else ""


def size(count: int) -> str:
    """Bytes as one says them."""
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count >> 10} KB"
