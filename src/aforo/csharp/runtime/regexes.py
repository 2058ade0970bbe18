"""Regex and its matches, over `regex` with a limit of time for each run."""

from __future__ import annotations

import re
from enum import IntFlag
from functools import lru_cache
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    ArgumentOutOfRangeException,
    RegexMatchTimeoutException,
    given,
)
from aforo.csharp.runtime.limits import REGEX_TIMEOUT_S, count, look_at_clock, made, nodes, read, room, work
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.runtime.regex_syntax import Numbering, translated
from aforo.csharp.runtime.spans import SECOND, TimeSpan
from aforo.regex_size import expanded

# A node takes some 700 bytes, and patterns are remembered.
MAX_NODES: Final = 10_000
MAX_LENGTH: Final = 20_000


class RegexOptions(IntFlag):
    Nothing = 0  # `None` in C#
    IgnoreCase = 1
    Multiline = 2
    ExplicitCapture = 4
    Compiled = 8
    Singleline = 16
    IgnorePatternWhitespace = 32
    RightToLeft = 64
    ECMAScript = 256
    CultureInvariant = 512


class Regex(Obj):
    """`timeout` is the policy's own; ours holds where it is longer."""

    __slots__ = ("numbering", "options", "pattern", "source", "timeout")
    net_name = "System.Text.RegularExpressions.Regex"

    def __init__(self, pattern: str | None, options: int = 0, timeout: TimeSpan | None = None) -> None:
        if pattern is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: pattern")
        self.source = pattern
        self.options = int(options)
        self.pattern, self.numbering = compiled(pattern, self.options)
        wanted = REGEX_TIMEOUT_S if timeout is None or timeout.ticks <= 0 else timeout.ticks / SECOND
        self.timeout = min(wanted, REGEX_TIMEOUT_S)

    def text(self, _spec: str | None = None) -> str:
        return self.source


class Match(Obj):
    """A match, a group of one, or neither (`found` None): `Success` is false then."""

    __slots__ = ("at", "found", "group", "number", "owner")
    net_name = "System.Text.RegularExpressions.Match"

    def __init__(self, found: Any, number: int = 0, owner: Regex | None = None) -> None:
        """`number` is .NET's, `group` the one that `found` knows."""
        self.found = found
        self.owner = owner
        self.number = number
        self.group = 0 if owner is None else owner.numbering.slots[number]
        self.at = -1 if found is None else found.start(self.group)

    def text(self, _spec: str | None = None) -> str:
        return match_value(self)


class Captured(Obj):
    """One of the things that a group captured."""

    __slots__ = ("at", "value")
    net_name = "System.Text.RegularExpressions.Capture"

    def __init__(self, at: int, value: str) -> None:
        self.at = at
        self.value = value

    def text(self, _spec: str | None = None) -> str:
        return self.value


class Groups(Obj):
    __slots__ = ("match",)
    net_name = "System.Text.RegularExpressions.GroupCollection"

    def __init__(self, match: Match) -> None:
        self.match = match

    def elements(self) -> list[Match]:
        nodes(group_count(self))
        owner = self.match.owner
        return [group_at(self, n) for n in (owner.numbering.slots if owner is not None else (0,))]


def regex_problem(pattern: str, options: int = 0) -> str:
    """Why a pattern cannot be used here; empty when it can. Asked when a policy is saved."""
    try:
        compiled(pattern, options)
    except ArgumentException as error:
        return error.message
    return ""


@lru_cache(maxsize=512)
def compiled(pattern: str, options: int) -> tuple[Any, Numbering]:
    # 10 MB of a gateway's memory, for those whose policies match patterns.
    import regex

    flags = regex.VERSION0
    for bit, flag in (
        (1, regex.IGNORECASE), (2, regex.MULTILINE), (16, regex.DOTALL), (32, regex.VERBOSE), (64, regex.REVERSE),
        (256, regex.ASCII),
    ):  # fmt: skip
        if options & bit:
            flags |= flag
    room(len(pattern))
    if (
        len(pattern) > MAX_LENGTH
        or expanded(pattern, verbose=bool(options & 32), enough=MAX_NODES) > MAX_NODES
    ):
        raise ArgumentException(
            f"parsing the pattern failed - with its repetitions it is larger than {MAX_NODES} nodes"
        )
    written, numbering = translated(pattern, options)
    try:
        return regex.compile(written, flags), numbering
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise ArgumentException(f"parsing the pattern failed - {str(error)[:80]}") from None


def _run(pattern: Regex, method: Any, *args: Any, **options: Any) -> Any:
    # A timeout can be caught, and the next match would have all its time again: the evaluation has not.
    look_at_clock()
    try:
        return method(*args, timeout=pattern.timeout, **options)
    except TimeoutError:
        raise RegexMatchTimeoutException from None


def _input(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    return text


def _from(text: str | None, start: int) -> str:
    if not 0 <= start <= len(_input(text)):
        raise ArgumentOutOfRangeException(
            "Start index cannot be less than 0 or greater than input length.\r\nParameter name: startat"
        )
    return _input(text)


def is_match(pattern: Regex, text: str | None, start: int = 0) -> bool:
    return _run(pattern, pattern.pattern.search, _from(text, start), start) is not None


def match(pattern: Regex, text: str | None, start: int = 0) -> Match:
    return Match(_run(pattern, pattern.pattern.search, _from(text, start), start), 0, pattern)


def matches(pattern: Regex, text: str | None, start: int = 0) -> list[Match]:
    out: list[Match] = []
    look_at_clock()
    try:
        for found in pattern.pattern.finditer(_from(text, start), start, timeout=pattern.timeout):
            count(len(out))
            nodes(1)
            out.append(Match(found, 0, pattern))
    except TimeoutError:
        raise RegexMatchTimeoutException from None
    return out


def _times(number: int) -> int:
    """A count of replacements for `regex`, where 0 is no limit and -1 is."""
    if number < -1:
        raise ArgumentOutOfRangeException("Count cannot be less than -1.\r\nParameter name: count")
    return max(0, number)


def regex_replace(pattern: Regex, text: str | None, replacement: str | None, number: int = -1) -> str:
    template = replacement or ""
    room(len(read(_input(text))))
    if number == 0:
        return _input(text)

    def one(found: Any) -> str:
        piece = expand(pattern, found, template)
        room(len(piece))
        return piece

    return str(_run(pattern, pattern.pattern.sub, one, _input(text), _times(number)))


def regex_replace_with(pattern: Regex, text: str | None, evaluator: Any, number: int = -1) -> str:
    room(len(read(_input(text))))
    if number == 0:
        return _input(text)

    def one(found: Any) -> str:
        return made(evaluator(Match(found, 0, pattern)) or "")

    return str(_run(pattern, pattern.pattern.sub, one, _input(text), _times(number)))


def expand(pattern: Regex, found: Any, template: str) -> str:
    """`$1`, `${name}`, `$$`, `$&`, `` $` ``, `$'`, `$+`, `$_`."""
    text, slots = found.string, pattern.numbering.slots

    def one(m: re.Match[str]) -> str:
        word = m[0][1:]
        token = m[1] or m[2]
        if token is None:
            start, end = found.span()
            last = found.group(max(slots.items())[1]) if len(slots) > 1 else ""
            known = {"$": "$", "&": found.group(0), "`": text[:start], "'": text[end:], "+": last, "_": text}
            return made(known[word] or "")
        group = slots.get(pattern.numbering.number(token))
        return m[0] if group is None else found.group(group) or ""

    return re.sub(r"\$(?:[$&`'+_]|(\d{1,4})|\{(\w+)\})", one, template)


def regex_split(pattern: Regex, text: str | None, number: int = 0) -> list[str]:
    if number == 1:
        return [made(_input(text))]
    parts = _run(pattern, pattern.pattern.split, _input(text), max(0, number - 1))
    order = list(pattern.numbering.slots.values())  # 0 first: the text in front of the match
    if order != sorted(order):
        parts = [
            parts[at + each]
            for at in range(0, len(parts), len(order))
            for each in order
            if at + each < len(parts)
        ]
    return [p for p in parts if p is not None]


_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def regex_escape(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: str")
    work(len(text) >> 2)
    room(2 * len(text))
    return re.sub(r"[\\*+?|{\[()^$.# \n\r\t\f]", lambda m: _ESCAPES.get(m[0], "\\" + m[0]), text)


def regex_unescape(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: str")
    known = {
        "n": "\n",
        "t": "\t",
        "r": "\r",
        "f": "\f",
        "v": "\v",
        "a": "\a",
        "e": "\x1b",
        "b": "\b",
        "0": "\0",
    }

    def one(m: re.Match[str]) -> str:
        word = m[1]
        return chr(int(word[1:], 16)) if len(word) > 1 else known.get(word, word)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", one, made(text), flags=re.DOTALL)


def static_is_match(
    text: str | None, pattern: str, options: int = 0, timeout: TimeSpan | None = None
) -> bool:
    return is_match(Regex(pattern, options, timeout), text)


def static_match(text: str | None, pattern: str, options: int = 0, timeout: TimeSpan | None = None) -> Match:
    return match(Regex(pattern, options, timeout), text)


def static_matches(
    text: str | None, pattern: str, options: int = 0, timeout: TimeSpan | None = None
) -> list[Match]:
    return matches(Regex(pattern, options, timeout), text)


def static_replace(
    text: str | None, pattern: str, replacement: str, options: int = 0, timeout: TimeSpan | None = None
) -> str:
    return regex_replace(Regex(pattern, options, timeout), text, replacement)


def static_replace_with(
    text: str | None, pattern: str, evaluator: Any, options: int = 0, timeout: TimeSpan | None = None
) -> str:
    return regex_replace_with(Regex(pattern, options, timeout), text, evaluator)


def static_split(
    text: str | None, pattern: str, options: int = 0, timeout: TimeSpan | None = None
) -> list[str]:
    return regex_split(Regex(pattern, options, timeout), text)


def group_names(pattern: Regex) -> list[str]:
    return [pattern.numbering.name(number) for number in pattern.numbering.slots]


def group_numbers(pattern: Regex) -> list[int]:
    return list(pattern.numbering.slots)


def group_number(pattern: Regex, name: str | None) -> int:
    return pattern.numbering.number(given(name, "name"))


def group_name(pattern: Regex, number: int) -> str:
    return pattern.numbering.name(number) if number in pattern.numbering.slots else ""


def regex_options(pattern: Regex) -> RegexOptions:
    return RegexOptions(pattern.options)


def right_to_left(pattern: Regex) -> bool:
    return bool(pattern.options & 64)


def match_success(value: Match) -> bool:
    return value.at >= 0


def match_value(value: Match | Captured) -> str:
    if isinstance(value, Captured):
        return value.value
    return made(value.found.group(value.group) or "") if value.found is not None else ""


def match_index(value: Match | Captured) -> int:
    return max(0, value.at)


def match_length(value: Match | Captured) -> int:
    return len(match_value(value))


def match_groups(value: Match) -> Groups:
    return Groups(value)


def match_captures(value: Match) -> list[Captured]:
    if value.found is None:
        return []
    spans = value.found.spans(value.group)
    nodes(len(spans))
    return [Captured(start, made(value.found.string[start:end])) for start, end in spans]


def match_name(value: Match) -> str:
    return "" if value.found is None or value.owner is None else value.owner.numbering.name(value.number)


def match_result(value: Match, template: str | None) -> str:
    if template is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: replacement")
    if value.found is None or value.owner is None:
        from aforo.csharp.runtime.exceptions import NotSupportedException

        raise NotSupportedException("Result cannot be called on a failed Match.")
    return expand(value.owner, value.found, template)


def group_at(groups: Groups, number: int) -> Match:
    match = groups.match
    if match.found is None or match.owner is None or number not in match.owner.numbering.slots:
        return Match(None)
    return Match(match.found, number, match.owner)


def group_named(groups: Groups, name: str | None) -> Match:
    owner = groups.match.owner
    return Match(None) if owner is None else group_at(groups, owner.numbering.number(given(name, "key")))


def group_count(groups: Groups) -> int:
    owner = groups.match.owner
    return 1 if owner is None or groups.match.found is None else len(owner.numbering.slots)


def capture_at(items: list[Captured], index: int) -> Captured:
    if not 0 <= index < len(items):
        raise ArgumentOutOfRangeException
    return items[index]


def next_match(value: Match) -> Match:
    if value.found is None or value.owner is None:
        return value
    pattern, text, end = value.owner, value.found.string, value.found.end()
    start = end + 1 if value.found.start() == end else end
    return (
        Match(_run(pattern, pattern.pattern.search, text, start), 0, pattern)
        if start <= len(text)
        else Match(None)
    )
