"""Regex and its matches, over `regex` with a limit of time for each run."""

from __future__ import annotations

import re
from enum import IntFlag
from functools import lru_cache
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentNullException,
    RegexMatchTimeoutException,
)
from aforo.csharp.runtime.limits import REGEX_TIMEOUT_S, count, look_at_clock, made, nodes, read, room
from aforo.csharp.runtime.objects import Obj
from aforo.csharp.types import TypeDecl, declare, member

_RX: Final = "System.Text.RegularExpressions"


class RegexOptions(IntFlag):
    Nothing = 0  # `None` in C#
    IgnoreCase = 1
    Multiline = 2
    ExplicitCapture = 4
    Compiled = 8
    Singleline = 16
    IgnorePatternWhitespace = 32
    CultureInvariant = 512


class Regex(Obj):
    __slots__ = ("pattern",)
    net_name = "System.Text.RegularExpressions.Regex"

    def __init__(self, pattern: str | None, options: int = 0) -> None:
        if pattern is None:
            raise ArgumentNullException("Value cannot be null.\r\nParameter name: pattern")
        self.pattern = compiled(pattern, int(options))


class Match(Obj):
    """A match, a group of one, or neither (`found` None): `Success` is false then."""

    __slots__ = ("at", "found", "group")
    net_name = "System.Text.RegularExpressions.Match"

    def __init__(self, found: Any, group: int | str = 0) -> None:
        self.found = found
        self.group = group
        self.at = -1 if found is None else found.start(group)

    def text(self, _spec: str | None = None) -> str:
        return match_value(self)


def regex_problem(pattern: str, options: int = 0) -> str:
    """Why a pattern cannot be used here; empty when it can. Asked when a policy is saved."""
    if re.search(r"\(\?<[A-Za-z_]\w*-[A-Za-z_]\w*>", pattern):
        return "balancing groups do not exist in our regular expressions"
    try:
        compiled(pattern, options)
    except ArgumentException as error:
        return error.message
    return ""


def _anchor(match: re.Match[str]) -> str:
    """`\\z` is the very end, `\\Z` also before a last line feed; ours has one name for the first only."""
    return {"z": r"\Z", "Z": r"(?=\n?\Z)"}.get(match[1], match[0])


@lru_cache(maxsize=512)
def compiled(pattern: str, options: int) -> Any:
    # 10 MB of a gateway's memory, for those whose policies match patterns.
    import regex

    flags = regex.VERSION0
    for bit, flag in ((1, regex.IGNORECASE), (2, regex.MULTILINE), (16, regex.DOTALL), (32, regex.VERBOSE)):
        if options & bit:
            flags |= flag
    room(len(pattern))
    translated = re.sub(r"\\(.)", _anchor, pattern, flags=re.DOTALL)
    try:
        return regex.compile(translated, flags)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise ArgumentException(f"parsing the pattern failed - {str(error)[:80]}") from None


def _run(method: Any, *args: Any, **options: Any) -> Any:
    # A timeout can be caught, and the next match would have all its time again: the evaluation has not.
    look_at_clock()
    try:
        return method(*args, timeout=REGEX_TIMEOUT_S, **options)
    except TimeoutError:
        raise RegexMatchTimeoutException from None


def _input(text: str | None) -> str:
    if text is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: input")
    return text


def is_match(pattern: Regex, text: str | None) -> bool:
    return _run(pattern.pattern.search, _input(text)) is not None


def match(pattern: Regex, text: str | None) -> Match:
    return Match(_run(pattern.pattern.search, _input(text)))


def matches(pattern: Regex, text: str | None) -> list[Match]:
    out: list[Match] = []
    look_at_clock()
    try:
        for found in pattern.pattern.finditer(_input(text), timeout=REGEX_TIMEOUT_S):
            count(len(out))
            nodes(1)
            out.append(Match(found))
    except TimeoutError:
        raise RegexMatchTimeoutException from None
    return out


def regex_replace(pattern: Regex, text: str | None, replacement: str | None) -> str:
    template = replacement or ""
    room(len(read(_input(text))))

    def one(found: Any) -> str:
        piece = _expand(found, template)
        room(len(piece))
        return piece

    return str(_run(pattern.pattern.sub, one, _input(text)))


def regex_replace_with(pattern: Regex, text: str | None, evaluator: Any) -> str:
    room(len(read(_input(text))))
    return str(_run(pattern.pattern.sub, lambda found: made(evaluator(Match(found)) or ""), _input(text)))


def _expand(found: Any, template: str) -> str:
    """`$1`, `${name}`, `$$`, `$&`."""

    def one(m: re.Match[str]) -> str:
        token = m[1] or m[2]
        if m[0] == "$$":
            return "$"
        if m[0] == "$&":
            return str(found.group(0))
        group: Any = int(token) if token.isdigit() else token
        try:
            return found.group(group) or ""
        except IndexError:
            return m[0]

    return re.sub(r"\$(?:\$|&|(\d{1,4})|\{(\w+)\})", one, template)


def regex_split(pattern: Regex, text: str | None) -> list[str]:
    return [p or "" for p in _run(pattern.pattern.split, _input(text))]


def regex_escape(text: str) -> str:
    return re.sub(r"([\\*+?|{\[()^$.# ])", r"\\\1", text).replace("\n", "\\n").replace("\t", "\\t")


def regex_unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), text)


def static_is_match(text: str | None, pattern: str, options: int = 0) -> bool:
    return is_match(Regex(pattern, options), text)


def static_match(text: str | None, pattern: str, options: int = 0) -> Match:
    return match(Regex(pattern, options), text)


def static_matches(text: str | None, pattern: str, options: int = 0) -> list[Match]:
    return matches(Regex(pattern, options), text)


def static_replace(text: str | None, pattern: str, replacement: str, options: int = 0) -> str:
    return regex_replace(Regex(pattern, options), text, replacement)


def static_replace_with(text: str | None, pattern: str, evaluator: Any) -> str:
    return regex_replace_with(Regex(pattern), text, evaluator)


def static_split(text: str | None, pattern: str, options: int = 0) -> list[str]:
    return regex_split(Regex(pattern, options), text)


def match_success(value: Match) -> bool:
    return value.at >= 0


def match_value(value: Match) -> str:
    return made(value.found.group(value.group) or "") if value.found is not None else ""


def match_index(value: Match) -> int:
    return max(0, value.at)


def match_length(value: Match) -> int:
    return len(match_value(value))


def match_groups(value: Match) -> Match:
    return value


def group_at(value: Match, index: int) -> Match:
    if value.found is None or not 0 <= index <= len(value.found.groups()):
        return Match(None)
    return Match(value.found, index)


def group_named(value: Match, name: str) -> Match:
    if value.found is None:
        return Match(None)
    if name.isdigit():
        return group_at(value, int(name))
    return Match(value.found, name) if name in value.found.groupdict() else Match(None)


def group_count(value: Match) -> int:
    return 1 if value.found is None else len(value.found.groups()) + 1


def next_match(value: Match) -> Match:
    if value.found is None:
        return value
    pattern, text, end = value.found.re, value.found.string, value.found.end()
    start = end + 1 if value.found.start() == end else end
    return Match(_run(pattern.search, text, start)) if start <= len(text) else Match(None)


TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Regex",
        member("new(string pattern)", Regex),
        member("new(string pattern, RegexOptions options)", Regex),
        member("bool IsMatch(string input)", is_match),
        member("Match Match(string input)", match),
        member("MatchCollection Matches(string input)", matches),
        member("string Replace(string input, string replacement)", regex_replace),
        member("string Replace(string input, Func<Match, string> evaluator)", regex_replace_with),
        member("string[] Split(string input)", regex_split),
        member("static bool IsMatch(string input, string pattern)", static_is_match),
        member("static bool IsMatch(string input, string pattern, RegexOptions options)", static_is_match),
        member("static Match Match(string input, string pattern)", static_match),
        member("static Match Match(string input, string pattern, RegexOptions options)", static_match),
        member("static MatchCollection Matches(string input, string pattern)", static_matches),
        member(
            "static MatchCollection Matches(string input, string pattern, RegexOptions options)",
            static_matches,
        ),
        member("static string Replace(string input, string pattern, string replacement)", static_replace),
        member(
            "static string Replace(string input, string pattern, string replacement, RegexOptions options)",
            static_replace,
        ),
        member(
            "static string Replace(string input, string pattern, Func<Match, string> evaluator)",
            static_replace_with,
        ),
        member("static string[] Split(string input, string pattern)", static_split),
        member("static string[] Split(string input, string pattern, RegexOptions options)", static_split),
        member("static string Escape(string str)", regex_escape),
        member("static string Unescape(string str)", regex_unescape),
        namespace=_RX,
        python=Regex,
    ),
    declare(
        "Capture",
        member("string Value", match_value),
        member("int Index", match_index),
        member("int Length", match_length),
        namespace=_RX,
        python=Match,
    ),
    declare("Group", member("bool Success", match_success), namespace=_RX, bases=("Capture",), python=Match),
    declare(
        "Match",
        member("GroupCollection Groups", match_groups),
        member("Match NextMatch()", next_match),
        namespace=_RX,
        bases=("Group",),
        python=Match,
    ),
    declare(
        "GroupCollection",
        member("int Count", group_count),
        member("Group this[int groupnum]", group_at),
        member("Group this[string groupname]", group_named),
        namespace=_RX,
        python=Match,
    ),
    declare("MatchCollection", namespace=_RX, bases=("IReadOnlyList<Match>",), python=list),
    declare(
        "RegexOptions",
        *(
            member(f"static RegexOptions {'None' if v == 0 else v.name}", const=v)
            for v in (RegexOptions.Nothing, *RegexOptions)
        ),
        namespace=_RX,
        kind="enum",
        python=RegexOptions,
        default=RegexOptions.Nothing,
    ),
)
