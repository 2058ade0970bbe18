"""JSON as Newtonsoft also reads it: single quotes, bare names, comments, trailing commas, NaN. A small reader."""

from __future__ import annotations

import re
from typing import Any, Final

from aforo.csharp.runtime.exceptions import JsonReaderException

_DEPTH: Final = 64
_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|\d+(?:\.\d*)?(?:[eE][+-]?\d{1,4})?|\.\d+)")
_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_ESCAPES: Final = {
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "/": "/",
    "\\": "\\",
    '"': '"',
    "'": "'",
}
_WORDS: Final = {
    "true": True, "false": False, "null": None, "undefined": None, "NaN": float("nan"), "Infinity": float("inf"),
}  # fmt: skip


def read_lenient(text: str) -> Any:
    """The value, or JsonReaderException with line and position."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.space()
    if reader.at < len(text):
        raise reader.wrong("Additional text encountered after finished reading JSON content")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def wrong(self, what: str) -> JsonReaderException:
        line = self.text.count("\n", 0, self.at) + 1
        position = self.at - (self.text.rfind("\n", 0, self.at) + 1)
        return JsonReaderException(f"{what}. Path '', line {line}, position {position}.")

    def space(self) -> str:
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.text[self.at : self.at + 1]

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise self.wrong(f"The reader's MaxDepth of {_DEPTH} has been exceeded")
        c = self.space()
        if c == "{":
            return self.object(depth)
        if c == "[":
            return self.array(depth)
        if c in ("'", '"') and c:
            return self.string()
        if self.text.startswith("-Infinity", self.at):
            self.at += len("-Infinity")
            return float("-inf")
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            body = number.group()
            if "x" in body.lower():
                return int(body, 16)
            return int(body) if body.lstrip("-").isdigit() and len(body) < 400 else float(body)
        word = _NAME.match(self.text, self.at)
        if word is not None and word.group() in _WORDS:
            self.at = word.end()
            return _WORDS[word.group()]
        if not c:
            raise self.wrong("Unexpected end of content while loading JSON")
        raise self.wrong("Unexpected character encountered while parsing value")

    def object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        out: dict[str, Any] = {}
        while True:
            c = self.space()
            if c == "}":
                self.at += 1
                return out
            if c in ("'", '"') and c:
                name = self.string()
            elif word := _NAME.match(self.text, self.at):
                name = word.group()
                self.at = word.end()
            else:
                raise self.wrong("Invalid property identifier character")
            if self.space() != ":":
                raise self.wrong("Invalid character after parsing property name. Expected ':'")
            self.at += 1
            out[name] = self.value(depth + 1)
            c = self.space()
            if c == ",":
                self.at += 1
            elif c != "}":
                raise self.wrong("After parsing a value an unexpected character was encountered")

    def array(self, depth: int) -> list[Any]:
        self.at += 1
        out: list[Any] = []
        while True:
            c = self.space()
            if c == "]":
                self.at += 1
                return out
            out.append(self.value(depth + 1))
            c = self.space()
            if c == ",":
                self.at += 1
            elif c != "]":
                raise self.wrong("After parsing a value an unexpected character was encountered")

    def string(self) -> str:
        quote = self.text[self.at]
        out: list[str] = []
        at = self.at + 1
        while at < len(self.text):
            c = self.text[at]
            if c == quote:
                self.at = at + 1
                return "".join(out)
            if c == "\\":
                escape = self.text[at + 1 : at + 2]
                if escape == "u" and re.fullmatch("[0-9a-fA-F]{4}", self.text[at + 2 : at + 6]):
                    out.append(chr(int(self.text[at + 2 : at + 6], 16)))
                    at += 6
                    continue
                if escape not in _ESCAPES or not escape:
                    self.at = at
                    raise self.wrong("Bad JSON escape sequence")
                out.append(_ESCAPES[escape])
                at += 2
                continue
            out.append(c)
            at += 1
        self.at = at
        raise self.wrong("Unterminated string")
