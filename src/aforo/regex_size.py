"""How large a pattern becomes when it is compiled: repetitions are written out. It compiles nothing."""

from __future__ import annotations

import re
from typing import Final

_COUNT: Final = re.compile(r"\{(\d+)(?:,\d*)?\}")
_COMMENT: Final = re.compile(r"(\\.)|\(\?#[^)]*\)", re.DOTALL)
_LINE_COMMENT: Final = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z))|#[^\n]*", re.DOTALL)
_INLINE_VERBOSE: Final = re.compile(r"\(\?[a-wyzA-Z]*x")
# A class (one that is not closed is all the rest, so that many of them are not looked through one by one), what a
# backslash begins, a repetition, the head of a group, anything else.
_PIECE: Final = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z)|\\[pP]\{\^?\w*\}|\\.|\{\d+(?:,\d*)?\}"
    r"|\((?:\?(?:<\w+>|'\w+'|<?[=!]|[a-zA-Z-]*:|>))?|.",
    re.DOTALL,
)


def expanded(pattern: str, *, verbose: bool, enough: int) -> int:
    """How many nodes the pattern has at most with its repetitions written out (`(a{9}){9}` has 81); once it is clear
    that they are not more than `enough`, any number up to that."""
    most = 1
    for found in _COUNT.finditer(pattern):
        if len(found[1]) > 9:
            return enough + 1
        most *= max(1, int(found[1]))
        if most * len(pattern) > enough:
            break
    else:
        return min(most * len(pattern), enough)
    pattern = _COMMENT.sub(r"\1", pattern)
    if verbose:
        pattern = _LINE_COMMENT.sub(r"\1", pattern)
    elif _INLINE_VERBOSE.search(pattern):
        return enough + 1  # what is a comment there would have to be told from what is not
    return _nodes(pattern, enough)


def _nodes(pattern: str, enough: int) -> int:
    """Sums of what stands side by side, times the least number of repetitions of what stands before."""
    outer: list[int] = []
    total = last = 0
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        if piece[0] == "(":
            outer.append(total)
            total = last = 0
        elif piece == ")":
            last = total + 1
            total = last + (outer.pop() if outer else 0)
        elif len(piece) > 1 and piece[0] == "{":
            times = max(1, int(piece[1:-1].partition(",")[0]))
            total += last * (times - 1)
            last *= times
        elif piece not in "*+?|":
            last = 1
            total += 1
        if total > enough:
            return enough + 1
    return total + sum(outer)
