"""Where an expression ends, by C#'s own lexical rules: strings, characters, comments, brackets. It parses nothing.

A policy document in "rawxml" holds expressions with bare quotes and angle brackets; only this can tell where
such an expression stops.
"""

from __future__ import annotations

from dataclasses import dataclass

_CLOSING = {"(": ")", "[": "]", "{": "}"}
# Interpolated strings inside of each other's holes.
_DEEPEST = 40
_ENTITIES = ("&quot;", "&lt;", "&gt;", "&amp;", "&apos;", "&#")


@dataclass(frozen=True, slots=True)
class Scan:
    """`end` is just past the closing bracket. `escaped`: XML entities stand outside of strings."""

    end: int
    escaped: bool


@dataclass(frozen=True, slots=True)
class Unclosed:
    """Scanning met the end of the text; `at` is where what is still open began, `what` names it."""

    at: int
    what: str


def scan(text: str, start: int) -> Scan | Unclosed:
    """Scan from the bracket at `start` (the one behind `@`) to the one that closes it."""
    return _Scanner(text).brackets(start)


def escapes(text: str) -> list[int]:
    """Where `{{` (and, in verbatim ones, `""`) stands in the text of interpolated strings."""
    scanner = _Scanner(text)
    at = 0
    while at < scanner.size:
        step = scanner.token(at)
        if isinstance(step, Unclosed):
            break
        at = step
    return scanner.escapes


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.size = len(text)
        self.escaped = False
        self.escapes: list[int] = []
        self.depth = 0

    def brackets(self, start: int) -> Scan | Unclosed:
        stack: list[tuple[str, int]] = []
        at = start
        while at < self.size:
            c = self.text[at]
            if c in _CLOSING:
                stack.append((_CLOSING[c], at))
                at += 1
            elif c in ")]}":
                if stack[-1][0] != c:
                    return Unclosed(stack[-1][1], f"`{self.text[stack[-1][1]]}`")
                stack.pop()
                at += 1
                if not stack:
                    return Scan(at, self.escaped)
            else:
                step = self.token(at)
                if isinstance(step, Unclosed):
                    return step
                at = step
        opened = stack[-1][1] if stack else start
        return Unclosed(opened, f"`{self.text[opened]}`")

    def token(self, at: int) -> int | Unclosed:
        """Past the string, character, comment or single character that begins at `at`."""
        text = self.text
        c = text[at]
        if c == '"':
            return self.string(at, at + 1, verbatim=False)
        if c in "@$":
            quote = at + 1
            while quote < self.size and text[quote] in "@$" and quote - at < 2:
                quote += 1
            if quote < self.size and text[quote] == '"':
                prefix = text[at:quote]
                if "$" in prefix:
                    return self.interpolated(at, quote + 1, verbatim="@" in prefix)
                return self.string(at, quote + 1, verbatim=True)
            return at + 1
        if c == "'":
            return self.character(at)
        if c == "/" and text.startswith("//", at):
            end = text.find("\n", at)
            return self.size if end < 0 else end
        if c == "/" and text.startswith("/*", at):
            end = text.find("*/", at + 2)
            return Unclosed(at, "comment") if end < 0 else end + 2
        if c == "&" and text.startswith(_ENTITIES, at):
            self.escaped = True
            if text.startswith("&quot;", at):
                return self.escaped_string(at)
        return at + 1

    def escaped_string(self, at: int) -> int | Unclosed:
        """A string whose quotes are written `&quot;`; brackets in it do not count."""
        verbatim = at > 0 and (self.text[at - 1] == "@" or self.text[max(0, at - 2) : at] == "@$")
        now = at + 6
        while now < self.size:
            if self.text.startswith("&quot;", now):
                return now + 6
            now += 2 if self.text[now] == "\\" and not verbatim else 1
        return Unclosed(at, "string")

    def string(self, at: int, inside: int, *, verbatim: bool) -> int | Unclosed:
        text, now = self.text, inside
        while now < self.size:
            c = text[now]
            if verbatim:
                if c == '"':
                    if not text.startswith('""', now):
                        return now + 1
                    now += 1
            elif c == "\\":
                now += 1
            elif c == '"':
                return now + 1
            elif c == "\n":
                return Unclosed(at, "string")
            now += 1
        return Unclosed(at, "string")

    def character(self, at: int) -> int | Unclosed:
        """A character literal; a lone apostrophe (in a comment-like word) is passed over."""
        end = at + 2 if not self.text.startswith("\\", at + 1) else at + 3
        while end < self.size and end - at < 10 and self.text[end] not in "'\n":
            end += 1
        if end < self.size and self.text[end] == "'":
            return end + 1
        return at + 1

    def interpolated(self, at: int, inside: int, *, verbatim: bool) -> int | Unclosed:
        text, now = self.text, inside
        while now < self.size:
            c = text[now]
            if c == "{":
                if text.startswith("{{", now):
                    self.escapes.append(now)
                    now += 2
                    continue
                if self.depth >= _DEEPEST:
                    return Unclosed(at, "string")
                self.depth += 1
                hole = self.brackets(now)
                self.depth -= 1
                if isinstance(hole, Unclosed):
                    return hole
                now = hole.end
                continue
            if verbatim:
                if c == '"':
                    if not text.startswith('""', now):
                        return now + 1
                    self.escapes.append(now)
                    now += 1
            elif c == "\\":
                now += 1
            elif c == '"':
                return now + 1
            elif c == "\n":
                return Unclosed(at, "string")
            now += 1
        return Unclosed(at, "string")
