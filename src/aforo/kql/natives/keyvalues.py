"""`parse-kv`: what keys have for values in a text, as a bag of texts."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import DYNAMIC, STRING

# How long a pattern may try on one text, in seconds.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How pairs are told apart. Without `kv` whatever is neither letter nor digit delimits."""

    keys: frozenset[str]
    pair: str
    kv: str
    quotes: tuple[tuple[str, str], ...]
    escapes: frozenset[str]
    greedy: bool
    regex: str


@functools.lru_cache(maxsize=64)
def _rules(how: str) -> Rules:
    told = parsed(how)
    return Rules(
        frozenset(told["keys"]),
        told.get("pair", ""),
        told.get("kv", ""),
        tuple((q[0], q[-1]) for q in told.get("quotes", ())),
        frozenset(told.get("escapes", ())),
        bool(told.get("greedy")),
        told.get("regex", ""),
    )


def parse_kv(text: str, how: str) -> str | None:
    """The bag of the wanted keys that the text has, each with its first value; `how` is `Rules` as JSON."""
    rules = _rules(how)
    if rules.regex:
        pairs = _by_regex(text, rules.regex)
    elif rules.kv:
        pairs = _Reader(text, rules).delimited()
    else:
        pairs = _Reader(text, rules).loose()
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in rules.keys:
            found.setdefault(key, value)
    return written(found)


def _by_regex(text: str, pattern: str) -> Iterator[tuple[str, str]]:
    import regex

    try:
        for match in regex.finditer(pattern, text, timeout=_PATIENCE):
            yield (match[1] or "").strip(), (match[2] or "").strip()
    except (TimeoutError, regex.error):
        return


class _Reader:
    """A place in a text that moves on."""

    def __init__(self, text: str, rules: Rules) -> None:
        self.text = text
        self.rules = rules
        self.at = 0

    def _quoted(self) -> str | None:
        """What stands in quotes here, the place moved behind them; None when nothing does."""
        for opening, closing in self.rules.quotes:
            if not self.text.startswith(opening, self.at):
                continue
            out: list[str] = []
            i = self.at + 1
            while i < len(self.text):
                mark = self.text[i]
                if mark in self.rules.escapes and i + 1 < len(self.text):
                    out.append(self.text[i + 1])
                    i += 2
                elif mark == closing:
                    self.at = i + 1
                    return "".join(out)
                else:
                    out.append(mark)
                    i += 1
        return None

    def _blank(self) -> None:
        """Past white space that delimits nothing."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            if self.rules.pair and self.text.startswith(self.rules.pair, self.at):
                return
            self.at += 1

    # -- with delimiters ---------------------------------------------------------------------------------

    def delimited(self) -> Iterator[tuple[str, str]]:
        pair, kv, size = self.rules.pair, self.rules.kv, len(self.text)
        while self.at < size:
            self._blank()
            if pair and self.text.startswith(pair, self.at):
                self.at += len(pair)
                continue
            key = self._quoted()
            if key is None:
                stop = self.text.find(kv, self.at)
                if stop < 0:
                    return
                cut = self.text.find(pair, self.at) if pair else -1
                if 0 <= cut < stop:
                    # A piece without a value.
                    self.at = cut + len(pair)
                    continue
                key, self.at = self.text[self.at : stop], stop
            else:
                self._blank()
            if not self.text.startswith(kv, self.at):
                continue
            self.at += len(kv)
            yield key.strip(), self._value().strip()

    def _value(self) -> str:
        self._blank()
        quoted = self._quoted()
        if quoted is not None:
            return quoted
        start = self.at
        self.at = self._next_key() if self.rules.greedy else self._end()
        return self.text[start : self.at]

    def _end(self) -> int:
        found = self.text.find(self.rules.pair, self.at) if self.rules.pair else -1
        return len(self.text) if found < 0 else found

    def _next_key(self) -> int:
        """Where the delimiter before the next key stands."""
        kv = self.text.find(self.rules.kv, self.at)
        if kv < 0:
            return len(self.text)
        before = self.text.rfind(self.rules.pair, self.at, kv) if self.rules.pair else -1
        return self._end() if before < 0 else before

    # -- without -----------------------------------------------------------------------------------------

    def loose(self) -> Iterator[tuple[str, str]]:
        key = self._token()
        while key is not None:
            token = self._token()
            if key in self.rules.keys and token is not None:
                yield key, token.strip()
                token = self._token()
            key = token

    def _token(self) -> str | None:
        """The next run of letters and digits, or what stands in quotes."""
        while self.at < len(self.text) and not self.text[self.at].isalnum():
            quoted = self._quoted()
            if quoted is not None:
                return quoted
            self.at += 1
        start = self.at
        while self.at < len(self.text) and self.text[self.at].isalnum():
            self.at += 1
        return self.text[start : self.at] or None


NATIVES: tuple[Native, ...] = (native("parse_kv", parse_kv, DYNAMIC, STRING, STRING),)
