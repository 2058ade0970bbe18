"""Patterns of values that two sets of rows have in different parts: a search that takes the greatest difference first and
goes on with the rows that no pattern has yet. It is bounded by steps, not by time, and gives the same for the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aforo.kql.natives.spec import Native, UnansweredError, dumped, native, parsed, written
from aforo.kql.types import DYNAMIC, LONG, REAL, STRING

# Different rows that are compared, patterns that are told, patterns of one length that are followed, values looked at.
MOST_ROWS, MOST_PATTERNS, BEAM, MOST_STEPS = 50_000, 20, 16, 4_000_000
# What a threshold may be missed by: parts are doubles.
SAME = 1e-12

Pattern = tuple[int, ...]


@dataclass(slots=True)
class Group:
    """Rows that have the same values (numbers of `Search.values`), with their weight in either set."""

    values: tuple[int, ...]
    a: float
    b: float
    free: bool = True  # No pattern that was found has them.


@dataclass(slots=True)
class Sums:
    """What a pattern has of both sets: of all rows, and of the free ones."""

    a: float = 0
    b: float = 0
    free_a: float = 0
    free_b: float = 0

    def add(self, group: Group) -> None:
        self.a += group.a
        self.b += group.b
        if group.free:
            self.free_a += group.a
            self.free_b += group.b


class Search:
    """`columns` are the columns of the values, `whole` the weights of both sets. A pattern has `least` to `most` values."""

    def __init__(
        self,
        groups: list[Group],
        columns: Sequence[int],
        whole: list[float],
        threshold: float,
        most: int,
        least: int = 1,
    ) -> None:
        self.groups = groups
        self.whole_a, self.whole_b = whole
        self.columns = columns
        self.threshold = threshold - SAME
        self.least, self.most = least, most
        self.steps = 0

    def found(self) -> dict[Pattern, Sums]:
        out: dict[Pattern, Sums] = {}
        while len(out) < MOST_PATTERNS and self.steps < MOST_STEPS and (best := self._best(out)) is not None:
            pattern, sums = best
            out[pattern] = sums
            for group in self.having(pattern):
                group.free = False
        return out

    def having(self, pattern: Pattern) -> list[Group]:
        wanted = set(pattern)
        return [g for g in self.groups if wanted.issubset(g.values)]

    def _best(self, known: dict[Pattern, Sums]) -> tuple[Pattern, Sums] | None:
        """The pattern with the greatest difference among the free rows; of equals the shortest, then the first."""
        best: tuple[Pattern, Sums] | None = None
        greatest = self.threshold
        beam: list[Pattern] = [()]
        for _ in range(self.most):
            longer: dict[Pattern, Sums] = {}
            for pattern in beam:
                if self.steps < MOST_STEPS:
                    self._extend(pattern, longer)
            for pattern, sums in sorted(longer.items()):
                free, told = self._apart(sums.free_a, sums.free_b), self._apart(sums.a, sums.b)
                # Apart to the same side with all rows as with the free ones, or it would say the wrong thing.
                fits = len(pattern) >= self.least and abs(told) >= self.threshold and (told > 0) == (free > 0)
                if fits and pattern not in known and abs(free) > greatest:
                    best, greatest = (pattern, sums), abs(free)
            # What a longer pattern can reach is what this one has of either set.
            reach = {
                p: abs(self._apart(s.free_a, s.free_b))
                for p, s in longer.items()
                if self._reaches(s, greatest)
            }
            beam = sorted(reach, key=lambda p: (-reach[p], p))[:BEAM]
            if not beam:
                break
        return best

    def _apart(self, a: float, b: float) -> float:
        return a / self.whole_a - b / self.whole_b

    def _reaches(self, sums: Sums, least: float) -> bool:
        return max(sums.free_a / self.whole_a, sums.free_b / self.whole_b) > least

    def _extend(self, pattern: Pattern, longer: dict[Pattern, Sums]) -> None:
        """The pattern with one value more, of a column that it does not have."""
        taken = {self.columns[v] for v in pattern}
        sums: dict[int, Sums] = {}
        for group in self.having(pattern):
            self.steps += len(group.values)
            for value in group.values:
                if self.columns[value] not in taken:
                    sums.setdefault(value, Sums()).add(group)
        for value, found in sums.items():
            longer[tuple(sorted((*pattern, value)))] = found


def difference_patterns(
    json: str | None, a: str, b: str, threshold: float | None, most: int | None, wildcards: str | None
) -> str | None:
    """`json`: an array of the JSON texts of [set, weight, JSON text of the row's values]. `wildcards`: a value for each
    column, which stands for any in the answer and is no value of a pattern, as null is none. The answer is an array of
    [number, weight in a, in b, percentage of a, of b, their difference, value of each column ...]."""
    rows, wild = parsed(json), parsed(wildcards)
    if not isinstance(rows, list) or not isinstance(wild, list) or threshold is None:
        return None
    if len(rows) > MOST_ROWS:
        raise UnansweredError(
            f"diffpatterns compares {MOST_ROWS:,} different rows: project the columns that matter"
        )
    weights: dict[str, list[float]] = {}
    for entry in rows:
        side, weight, values = parsed(entry)
        pair = weights.setdefault(values, [0, 0])
        if isinstance(weight, int | float) and weight > 0:
            pair[0] += weight if side == a else 0
            pair[1] += weight if side == b else 0
    whole = [sum(pair[i] for pair in weights.values()) for i in (0, 1)]
    if not all(whole):
        return "[]"
    values, groups = _grouped(weights, whole, wild, threshold)
    columns = [column for column, _ in values]
    length = len(wild) if most is None else min(most, len(wild))
    found = Search(groups, columns, whole, threshold, length).found()
    ranked = sorted(
        found.items(), key=lambda item: (-abs(item[1].a / whole[0] - item[1].b / whole[1]), item[0])
    )
    return written([_told(i, p, s, whole, values, wild) for i, (p, s) in enumerate(ranked)])


def _grouped(
    weights: dict[str, list[float]], whole: list[float], wild: list[Any], threshold: float
) -> tuple[list[tuple[int, str]], list[Group]]:
    """The values that are frequent enough in one of the sets to be in a pattern, and the rows as these values."""
    parts: dict[tuple[int, str], list[float]] = {}
    rows: list[tuple[list[tuple[int, str]], float, float]] = []
    free = [dumped(value) for value in wild]
    for text in sorted(weights):
        a, b = weights[text]
        row = [
            (i, said)
            for i, value in enumerate(parsed(text))
            if value is not None and (said := dumped(value)) is not None and said != free[i]
        ]
        rows.append((row, a, b))
        for value in row:
            pair = parts.setdefault(value, [0.0, 0.0])
            pair[0] += a / whole[0]
            pair[1] += b / whole[1]
    values = sorted(value for value, pair in parts.items() if max(pair) >= threshold - SAME)
    numbers = {value: i for i, value in enumerate(values)}
    groups: dict[tuple[int, ...], Group] = {}
    for row, a, b in rows:
        key = tuple(numbers[value] for value in row if value in numbers)
        group = groups.setdefault(key, Group(key, 0, 0))
        group.a += a
        group.b += b
    return values, list(groups.values())


def _told(
    number: int,
    pattern: Pattern,
    sums: Sums,
    whole: list[float],
    values: list[tuple[int, str]],
    wild: list[Any],
) -> list[Any]:
    """Percentages have two decimals, as Kusto's have."""
    chosen = dict(values[v] for v in pattern)
    shown = [parsed(chosen[i]) if i in chosen else free for i, free in enumerate(wild)]
    a, b = 100 * sums.a / whole[0], 100 * sums.b / whole[1]
    return [number, round(sums.a), round(sums.b), round(a, 2), round(b, 2), round(abs(a - b), 2), *shown]


NATIVES: tuple[Native, ...] = (
    native("diffpatterns", difference_patterns, DYNAMIC, DYNAMIC, STRING, STRING, REAL, LONG, DYNAMIC),
)
