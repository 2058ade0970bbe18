"""Constant regular expressions, judged when compiling: Kusto's are RE2's, so that what RE2 refuses is refused here."""

from __future__ import annotations

import functools
import re

from aforo.regex_size import expanded

# What other engines have and RE2 has not: looking around, back references, possessive and atomic groups.
_FOREIGN = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|[*+?}]\+")
# What stands for one character: an escape (with its braces), a class in brackets.
_ONE = re.compile(r"\\(?:[pPx]\{[^}]*\}|[^1-9])|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)


# RE2 takes a thousand repetitions, inside of each other too, and programs of some megabytes.
_MOST_NODES = 10_000
_MOST_CHARACTERS = 20_000

_NAMED = re.compile(rf"{_ONE.pattern}|\(\?<(?![=!])", re.DOTALL)


def as_re2(pattern: str) -> str:
    """With named groups as RE2 writes them: `(?<name>` is `(?P<name>` there."""
    return _NAMED.sub(lambda m: "(?P<" if m.group() == "(?<" else m.group(), pattern)


def matches_nothing(pattern: str) -> bool:
    """Whether a pattern that has been judged finds an empty text."""
    import regex

    return regex.compile(pattern).search("") is not None


def groups_by_name(pattern: str) -> dict[str, int]:
    """The numbers of the named groups of a pattern that has been judged."""
    import regex

    return dict(regex.compile(pattern).groupindex)


@functools.lru_cache(maxsize=256)
def judge(pattern: str) -> tuple[str, int]:
    """(what is wrong with it, empty when nothing; the number of its groups)"""
    import regex

    if len(pattern) > _MOST_CHARACTERS or expanded(pattern, verbose=False, enough=_MOST_NODES) > _MOST_NODES:
        return f"{pattern[:80]!r} is too large a regular expression with its repetitions written out", 0
    try:
        groups = int(regex.compile(pattern).groups)
    except (regex.error, OverflowError, RecursionError) as error:
        return f"{pattern!r} is no regular expression: {error}", 0
    if (found := _FOREIGN.search(_ONE.sub("a", pattern))) is not None:
        return f"{found.group()!r} is not part of RE2's regular expressions, which KQL uses", groups
    return "", groups


def problem_of(value: object) -> str:
    """What is wrong with a constant as a regular expression. What is neither text nor a collection is read as text."""
    if isinstance(value, list | dict):
        return f"a regular expression must be one text, this is {'an array' if isinstance(value, list) else 'a bag'}"
    return judge(value)[0] if isinstance(value, str) else ""
