"""A cursor over tokens, which all grammar shares: looking ahead, taking, expecting, names and types."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aforo.kql import diagnostics as say
from aforo.kql.tokens import Token, TokenKind
from aforo.kql.types import STRING, TYPE_NAMES, KqlType
from aforo.source import Diagnostic, Span

MAX_DEPTH = 120


class TokenCursor:
    """Where the parser stands, and the mistakes that it has met. It never raises on any input."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0
        self.mistakes: list[Diagnostic] = []
        self._depth = 0

    def peek(self, ahead: int = 0) -> Token:
        i = self.index + ahead
        return self.tokens[i] if i < len(self.tokens) else self.tokens[-1]

    def next(self) -> Token:
        token = self.peek()
        if self.index < len(self.tokens) - 1:
            self.index += 1
        return token

    @property
    def last(self) -> Span:
        """The place of the token taken last."""
        return self.tokens[max(0, self.index - 1)].span

    def at_end(self) -> bool:
        return self.peek().kind is TokenKind.END

    def peek_mark(self, mark: str) -> bool:
        token = self.peek()
        return token.kind is TokenKind.MARK and token.text == mark

    def take_mark(self, mark: str) -> bool:
        if self.peek_mark(mark):
            self.next()
            return True
        return False

    def peek_name(self, word: str) -> bool:
        token = self.peek()
        return token.kind is TokenKind.NAME and token.text == word

    def take_name(self, word: str) -> bool:
        if self.peek_name(word):
            self.next()
            return True
        return False

    def expect_mark(self, mark: str) -> bool:
        if self.take_mark(mark):
            return True
        token = self.peek()
        self.report(say.expected(f"'{mark}'", self.shown(token), token.span))
        return False

    def expect_name(self, word: str) -> bool:
        if self.take_name(word):
            return True
        token = self.peek()
        self.report(say.expected(f"'{word}'", self.shown(token), token.span))
        return False

    def report(self, mistake: Diagnostic) -> None:
        """Keeps a mistake; a second one at the same place would only be an echo of the first."""
        if not self.mistakes or self.mistakes[-1].span.start != mistake.span.start:
            self.mistakes.append(mistake)

    def shown(self, token: Token) -> str:
        return "the end of the query" if token.kind is TokenKind.END else f"'{token.text[:40]}'"

    @contextmanager
    def deeper(self) -> Iterator[bool]:
        """One more level of nesting; False (and reported) when there are too many for the stack."""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                self._give_up()
                yield False
            else:
                yield True
        finally:
            self._depth -= 1

    def _give_up(self) -> None:
        """Too deep: say so and read no further."""
        self.report(say.too_deep(self.peek().span))
        self.index = len(self.tokens) - 1

    # -- names and types ---------------------------------------------------------------------------------

    def name(self, what: str) -> str:
        """A plain or bracketed name (`x`, `['a b']`); empty and reported when there is none."""
        token = self.peek()
        if token.kind is TokenKind.NAME:
            return self.next().text
        if token.text == "[" and self.peek(1).kind is TokenKind.STRING and self.peek(2).text == "]":
            self.index += 3
            return str(self.tokens[self.index - 2].value)
        if token.kind is TokenKind.TYPED:
            # A column may be called `time`; the lexer took `time(...)` for a literal.
            self.report(say.expected(what, self.shown(token), token.span, f"write ['{token.text}']"))
            self.next()
            return token.text
        self.report(say.expected(what, self.shown(token), token.span))
        return ""

    def at_bracketed_name(self) -> bool:
        return self.peek_mark("[") and self.peek(1).kind is TokenKind.STRING and self.peek(2).text == "]"

    def type_name(self) -> KqlType:
        token = self.next()
        known = TYPE_NAMES.get(token.text)
        if known is None:
            self.report(say.unknown_type(token.text, token.span, TYPE_NAMES))
            return STRING
        return known
