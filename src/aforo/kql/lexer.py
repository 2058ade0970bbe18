"""Text to tokens. It never raises; what it cannot read it reports and steps over. It knows no grammar."""

from __future__ import annotations

import re

from aforo.kql import diagnostics as say
from aforo.kql.ticks import span_of, whole
from aforo.kql.tokens import Token, TokenKind
from aforo.source import Diagnostic, Span

_SPACE = re.compile(r"(?:\s|//[^\n]*)+")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+(?!\w)")
_REAL = re.compile(r"\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)(?!\w)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]+)(?!\w)")
# A name may begin with digits: `summarize 95th = percentile(x, 95)`.
_NAME = re.compile(r"[^\W\d]\w*|\$\w+|\d+[^\W\d]\w*")
_INT = re.compile(r"\d+")
_NEGATED = re.compile(r"![A-Za-z_]+~?")
_MARKS = ("<|", "==", "!=", "<=", ">=", "<>", "=~", "!~", "=>", "..", "|", "(", ")", "[", "]", "{", "}", ",", ";", ":",
          ".", "+", "-", "*", "/", "%", "<", ">", "=", "~", "?", "@")  # fmt: skip
_MARK = re.compile("|".join(map(re.escape, _MARKS)))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_KNOWN_ESCAPES = frozenset("ntr0abfvuUx\\\"'`/")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TYPED = frozenset(
    [
        "datetime",
        "date",
        "timespan",
        "time",
        "guid",
        "uniqueid",
        "uuid",
        "real",
        "double",
        "int",
        "int32",
        "long",
        "int64",
        "decimal",
        "bool",
        "boolean",
        "dynamic",
    ]
)


def lex(text: str) -> tuple[list[Token], list[Diagnostic]]:
    """All tokens of the text, the last one of kind END, and what could not be read."""
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self.mistakes: list[Diagnostic] = []

    def run(self) -> tuple[list[Token], list[Diagnostic]]:
        text, end = self.text, len(self.text)
        while True:
            if space := _SPACE.match(text, self.at):
                self.at = space.end()
            if self.at >= end:
                break
            self._one()
        self._add(TokenKind.END, "", self.at)
        return self.tokens, self.mistakes

    def _add(self, kind: TokenKind, text: str, end: int, value: object = None) -> None:
        self.tokens.append(Token(kind, text, Span(self.at, end), value))
        self.at = end

    def _one(self) -> None:
        text, at = self.text, self.at
        char = text[at]
        # Most of a text is names and marks: they are tried first.
        if char not in "hH" and (char.isalpha() or char == "_") and (m := _NAME.match(text, at)):
            return self._name(m.group(), m.end())
        if char not in "!~" and (m := _MARK.match(text, at)) and char != "@":
            return self._add(TokenKind.MARK, m.group(), m.end())
        if char in "\"'":
            return self._string(at)
        if char in "@hH" and (quote := self._quote_after_prefix(at)) >= 0:
            return self._string(quote)
        if text.startswith("```", at) or text.startswith("~~~", at):
            return self._fenced(char * 3)
        if char.isdigit() and self._number():
            return None
        if m := _NAME.match(text, at):
            return self._name(m.group(), m.end())
        if char == "!" and (m := _NEGATED.match(text, at)):
            return self._add(TokenKind.MARK, m.group(), m.end())
        if m := _MARK.match(text, at):
            return self._add(TokenKind.MARK, m.group(), m.end())
        self.mistakes.append(say.unexpected_character(char, Span(at, at + 1)))
        self.at += 1
        return None

    def _number(self) -> bool:
        text, at = self.text, self.at
        if m := _HEX.match(text, at):
            self._add(TokenKind.NUMBER, m.group(), m.end(), whole(m.group(), 16))
        elif m := _REAL.match(text, at):
            self._add(TokenKind.NUMBER, m.group(), m.end(), float(m.group()))
        elif (m := _SPAN.match(text, at)) and (ticks := span_of(*m.groups())) is not None:
            self._add(TokenKind.TIMESPAN, m.group(), m.end(), ticks)
        elif _NAME.match(text, at):
            return False
        elif m := _INT.match(text, at):
            self._add(TokenKind.NUMBER, m.group(), m.end(), whole(m.group()))
        else:
            return False
        return True

    def _name(self, name: str, end: int) -> None:
        if name in ("in", "has_any", "has_all") and self.text.startswith("~", end):
            return self._add(TokenKind.NAME, name + "~", end + 1)
        if name in _TYPED:
            opening = end
            while opening < len(self.text) and self.text[opening] in " \t":
                opening += 1
            if self.text.startswith("(", opening):
                return self._typed(name, opening)
        return self._add(TokenKind.NAME, name, end)

    def _typed(self, name: str, opening: int) -> None:
        """`datetime(...)` and its like are one literal; only `dynamic` nests, and strings hide parentheses."""
        text, depth, i = self.text, 0, opening
        while i < len(text):
            char = text[i]
            if char in "\"'" and name == "dynamic":
                i = self._end_of_string(i)
                continue
            if char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 0:
                    return self._add(TokenKind.TYPED, name, i + 1, text[opening + 1 : i])
            elif char in "|;" and name != "dynamic":
                break
            i += 1
        self.mistakes.append(say.open_literal(name, Span(self.at, opening + 1)))
        return self._add(TokenKind.TYPED, name, i, text[opening + 1 : i])

    def _end_of_string(self, start: int) -> int:
        quote, i = self.text[start], start + 1
        while i < len(self.text) and self.text[i] != quote:
            i += 2 if self.text[i] == "\\" else 1
        return min(i + 1, len(self.text))

    def _quote_after_prefix(self, at: int) -> int:
        """The offset of the quote behind `@`, `h` or `h@`, -1 when there is none."""
        i = at + 1
        if self.text[at] in "hH" and self.text.startswith("@", i):
            i += 1
        return i if i < len(self.text) and self.text[i] in "\"'" else -1

    def _string(self, opening: int) -> None:
        text, quote = self.text, self.text[opening]
        verbatim = "@" in text[self.at : opening]
        i = opening + 1
        while i < len(text) and text[i] != "\n":
            if text[i] == quote:
                if not (verbatim and text.startswith(quote, i + 1)):
                    break
                i += 2
            elif text[i] == "\\" and not verbatim:
                if text[i + 1 : i + 2] not in _KNOWN_ESCAPES:
                    self.mistakes.append(say.unknown_escape(text[i : i + 2], Span(i, min(i + 2, len(text)))))
                i += 2
            else:
                i += 1
        if i >= len(text) or text[i] == "\n":
            i = min(i, len(text))
            self.mistakes.append(say.open_string(Span(self.at, i)))
            return self._add(TokenKind.STRING, text[self.at : i], i, text[opening + 1 : i])
        body = text[opening + 1 : i]
        value = body.replace(quote * 2, quote) if verbatim else unescape(body)
        if _SURROGATE.search(value) is not None:
            # Two halves make one character; a lone half is none, and no text can hold it.
            value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            if "\ufffd" in value:
                self.mistakes.append(say.half_character(Span(self.at, i + 1)))
        return self._add(TokenKind.STRING, text[self.at : i + 1], i + 1, value)

    def _fenced(self, fence: str) -> None:
        end = self.text.find(fence, self.at + 3)
        if end < 0:
            self.mistakes.append(say.open_string(Span(self.at, self.at + 3)))
            return self._add(TokenKind.STRING, fence, len(self.text), self.text[self.at + 3 :])
        return self._add(TokenKind.STRING, fence, end + 3, self.text[self.at + 3 : end])


def unescape(body: str) -> str:
    """The value of a quoted string's inside."""
    if "\\" not in body:
        return body

    def one(m: re.Match[str]) -> str:
        code = m.group(1)
        if len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number < 0x110000 else m.group()
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(one, body)
