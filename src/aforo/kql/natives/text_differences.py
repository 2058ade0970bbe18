"""Patterns of the first words of texts that two sets of rows have in different parts: each place is a column of
`difference_patterns`, and a pattern is told with all words that its rows share.
"""

from __future__ import annotations

from typing import Any

from aforo.kql.natives.difference_patterns import MOST_ROWS, SAME, Group, Pattern, Search, Sums
from aforo.kql.natives.spec import Native, UnansweredError, native, parsed, written
from aforo.kql.types import DYNAMIC, LONG, REAL

ANY = "*"


def text_differences(
    json: str | None, threshold: float | None, least: int | None, most: int | None
) -> str | None:
    """`json`: an array of the JSON texts of [set (true, false), rows, text]. The answer is an array of [rows of true, of
    false, percentage of either, pattern], falling by how much more of the first set has it than of the second."""
    rows = parsed(json)
    if not isinstance(rows, list) or threshold is None or least is None or most is None:
        return None
    if len(rows) > MOST_ROWS:
        raise UnansweredError(
            f"diffpatterns_text compares {MOST_ROWS:,} different texts: take fewer rows, or fewer words"
        )
    counts: dict[tuple[str, ...], list[int]] = {}
    for entry in rows:
        side, count, text = parsed(entry)
        pair = counts.setdefault(tuple(text.split()[:most]), [0, 0])
        pair[0 if side else 1] += count
    whole: list[float] = [sum(pair[i] for pair in counts.values()) for i in (0, 1)]
    if not all(whole):
        return "[]"
    parts: dict[tuple[int, str], list[float]] = {}
    for words, pair in counts.items():
        for value in enumerate(words):
            part = parts.setdefault(value, [0.0, 0.0])
            part[0] += pair[0] / whole[0]
            part[1] += pair[1] / whole[1]
    # The wildcard as a word of the text would read as one.
    values = sorted(v for v, part in parts.items() if max(part) >= threshold - SAME and v[1] != ANY)
    numbers = {value: i for i, value in enumerate(values)}
    groups: dict[Pattern, Group] = {}
    for words in sorted(counts):
        key = tuple(numbers[value] for value in enumerate(words) if value in numbers)
        group = groups.setdefault(key, Group(key, 0, 0))
        group.a += counts[words][0]
        group.b += counts[words][1]
    search = Search(list(groups.values()), [i for i, _ in values], whole, threshold, most, max(least, 1))
    found = {_shared(search, pattern): sums for pattern, sums in search.found().items()}
    ranked = sorted(found.items(), key=lambda item: (item[1].b / whole[1] - item[1].a / whole[0], item[0]))
    return written([_told(pattern, sums, whole, values, most) for pattern, sums in ranked])


def _shared(search: Search, pattern: Pattern) -> Pattern:
    """All values that the rows of a pattern have in common."""
    return tuple(sorted(set.intersection(*(set(group.values) for group in search.having(pattern)))))


def _told(
    pattern: Pattern, sums: Sums, whole: list[float], values: list[tuple[int, str]], most: int
) -> list[Any]:
    """One wildcard for each word up to the last one told, then one for all that may follow it."""
    chosen = dict(values[v] for v in pattern)
    last = max(chosen)
    words = [chosen.get(i, ANY) for i in range(last + 1)] + [ANY] * (last + 1 < most)
    parts = [round(100 * sums.a / whole[0], 2), round(100 * sums.b / whole[1], 2)]
    return [sums.a, sums.b, *parts, " ".join(words)]


NATIVES: tuple[Native, ...] = (
    native("diffpatterns_text", text_differences, DYNAMIC, DYNAMIC, REAL, LONG, LONG),
)
