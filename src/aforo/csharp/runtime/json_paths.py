"""`SelectToken`: the JSONPath of Newtonsoft: names, indexes, slices, stars, descent and filters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson

from aforo.csharp.runtime.exceptions import ArgumentException, ArgumentNullException, JsonException
from aforo.csharp.runtime.json import (
    JArray,
    JContainer,
    JObject,
    JProperty,
    JToken,
    JValue,
    children,
    descendants,
)
from aforo.csharp.runtime.limits import count, work
from aforo.csharp.runtime.objects import to_string
from aforo.csharp.runtime.ordering import compare_values

_DEEPEST: Final = 32


@dataclass(frozen=True, slots=True)
class Step:
    """`kind`: names (none means all), indexes, slice, filter; `deep` looks at every level below."""

    kind: str
    deep: bool = False
    names: tuple[str, ...] = ()
    indexes: tuple[int | None, ...] = ()
    condition: Any = None


@dataclass(frozen=True, slots=True)
class Path:
    steps: tuple[Step, ...]
    root: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: `op` and, or, exists, or a comparison of two operands (paths or JValues)."""

    op: str
    parts: tuple[Any, ...]


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def space(self) -> str:
        while self.peek() == " ":
            self.at += 1
        return self.peek()

    def take(self, word: str) -> bool:
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def wrong(self, where: str = "path") -> JsonException:
        if self.at >= len(self.text):
            return JsonException(f"Unexpected end while parsing {where}.")
        return JsonException(f"Unexpected character while parsing {where}: {self.peek()}")

    def path(self, stop: str = "") -> tuple[Step, ...]:
        """Steps to the end, or to one of the characters in `stop` (a path within a filter)."""
        steps: list[Step] = []
        first = True
        while self.at < len(self.text):
            c = self.peek()
            if stop and c in stop:
                break
            if c == "[" or c == "(":
                steps.append(self.indexer(False, "]" if c == "[" else ")"))
            elif c == ".":
                self.at += 1
                deep = self.take(".")
                if not self.peek() or (stop and self.peek() in stop):
                    raise JsonException("Unexpected end while parsing path.")
                steps.append(
                    self.indexer(True, "]") if deep and self.peek() == "[" else self.name(deep, stop)
                )
            elif c == " " and not stop:
                raise self.wrong()
            elif first:
                steps.append(self.name(False, stop))
            else:
                raise self.wrong()
            first = False
        return tuple(steps)

    def name(self, deep: bool, stop: str) -> Step:
        start = self.at
        while self.at < len(self.text) and self.peek() not in ".[(" and not (stop and self.peek() in stop):
            if self.peek() == " ":
                break
            self.at += 1
        word = self.text[start : self.at]
        if not word:
            raise self.wrong()
        return Step("names", deep, () if word == "*" else (word,))

    def indexer(self, deep: bool, end: str) -> Step:
        self.at += 1
        c = self.space()
        if c == "*":
            self.at += 1
            step = Step("star", deep)
        elif c == "?":
            self.at += 1
            self.space()
            if not self.take("("):
                raise self.wrong("path indexer")
            step = Step("filter", deep, condition=self.condition())
            self.space()
            if not self.take(")"):
                raise self.wrong("path indexer")
        elif c in ("'", '"') and c:
            names = [self.quoted()]
            while self.space() == ",":
                self.at += 1
                self.space()
                names.append(self.quoted())
            step = Step("names", deep, tuple(names))
        else:
            step = self.numbers(deep)
        self.space()
        if not self.take(end):
            raise self.wrong("path indexer")
        return step

    def numbers(self, deep: bool) -> Step:
        found = re.compile(r"\s*(-?\d{1,9})?\s*(:|,|(?=[\])]))").match
        values: list[int | None] = []
        marks: list[str] = []
        while True:
            match = found(self.text, self.at)
            if match is None:
                raise self.wrong("path indexer")
            self.at = match.end()
            values.append(int(match[1]) if match[1] else None)
            if not match[2]:
                break
            marks.append(match[2])
        if ":" in marks:
            if "," in marks or len(values) > 3:
                raise self.wrong("path indexer")
            return Step("slice", deep, indexes=(*values, *(None,) * (3 - len(values))))
        if None in values:
            raise JsonException("Array index expected.")
        return Step("indexes", deep, indexes=tuple(values))

    def quoted(self) -> str:
        mark = self.peek()
        if mark not in ("'", '"'):
            raise self.wrong("path indexer")
        self.at += 1
        out: list[str] = []
        while self.at < len(self.text):
            c = self.peek()
            self.at += 1
            if c == "\\" and self.peek():
                escaped = self.peek()
                self.at += 1
                out.append({"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(escaped, escaped))
            elif c == mark:
                return "".join(out)
            else:
                out.append(c)
        raise JsonException("Path ended with an open string.")

    # --- filters ------------------------------------------------------------------------------------------------------

    def condition(self) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise JsonException("The path is nested too deeply.")
        tests = [self.conjunction()]
        while self.space() == "|" and self.take("||"):
            tests.append(self.conjunction())
        self.depth -= 1
        return tests[0] if len(tests) == 1 else Test("or", tuple(tests))

    def conjunction(self) -> Any:
        tests = [self.comparison()]
        while self.space() == "&" and self.take("&&"):
            tests.append(self.comparison())
        return tests[0] if len(tests) == 1 else Test("and", tuple(tests))

    def comparison(self) -> Any:
        if self.space() == "(":
            self.at += 1
            inner = self.condition()
            self.space()
            if not self.take(")"):
                raise self.wrong("path query")
            return inner
        left = self.operand()
        self.space()
        for op in ("===", "!==", "==", "!=", "<>", "<=", ">=", "=~", "<", ">"):
            if self.take(op):
                self.space()
                return Test({"===": "==", "!==": "!=", "<>": "!="}.get(op, op), (left, self.operand()))
        return Test("exists", (left,))

    def operand(self) -> Any:
        c = self.space()
        if c in ("@", "$") and c:
            self.at += 1
            return Path(self.path(" )&|=!<>~"), c == "$")
        if c in ("'", '"') and c:
            return JValue(self.quoted())
        if c == "/":
            end = self.text.find("/", self.at + 1)
            while end > 0 and self.text[end - 1] == "\\":
                end = self.text.find("/", end + 1)
            if end < 0:
                raise JsonException("Path ended with an open regex.")
            pattern = self.text[self.at + 1 : end]
            self.at = end + 1
            options = re.compile("[a-z]*").match(self.text, self.at)
            assert options is not None
            self.at = options.end()
            return (pattern, options[0])
        literal = re.compile(r"true|false|null|-?\d[\d.eE+-]*").match(self.text, self.at)
        if literal is None:
            raise self.wrong("path query")
        self.at = literal.end()
        try:
            return JValue(orjson.loads(literal[0]))
        except orjson.JSONDecodeError:
            raise JsonException(f"Could not read query value: {literal[0]}") from None


# A longer path is read anew each time: what is kept has a bound.
_CACHED: Final = 1024


def _parsed(expression: str) -> Path:
    return _kept(expression) if len(expression) <= _CACHED else _read(expression)


def _read(expression: str) -> Path:
    reader = _Reader(expression)
    if reader.take("$") and reader.peek() not in ("", ".", "["):
        reader.at = 0
    return Path(reader.path())


_kept: Final = lru_cache(maxsize=256)(_read)


def select_tokens(token: JToken, expression: str | None) -> list[JToken]:
    if expression is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: path")
    work(len(expression))
    return _follow(_parsed(expression), token, token)


def _follow(path: Path, root: JToken, token: JToken) -> list[JToken]:
    now: list[JToken] = [root if path.root else token]
    for step in path.steps:
        found: list[JToken] = []
        for each in now:
            starts = [each, *_below(each)] if step.deep else [each]
            for start in starts:
                found += _step(start, step, root)
                count(len(found))
        now = found
        if not now:
            return now
    return now


def _below(token: JToken) -> list[JToken]:
    found = descendants(token) if isinstance(token, JContainer) else []
    return [t for t in found if not isinstance(t, JProperty)]


def _inner(token: JToken) -> list[JToken]:
    return [c.value if isinstance(c, JProperty) else c for c in children(token)]


def _step(token: JToken, step: Step, root: JToken) -> list[JToken]:
    work(1)
    if step.kind == "names":
        if not step.names:
            return _inner(token)
        if not isinstance(token, JObject):
            return []
        hits = (token.child(name) for name in step.names)
        return [h for h in hits if h is not None]
    if step.kind == "star":
        return _inner(token)
    if step.kind == "filter":
        return [c for c in _inner(token) if _holds(step.condition, c, root)]
    if not isinstance(token, JArray):
        return []
    size = len(token.items)
    if step.kind == "indexes":
        return [token.child(i) for i in step.indexes if i is not None and 0 <= i < size]
    start, stop, stride = step.indexes
    if stride == 0:
        raise JsonException("Step cannot be zero.")
    return [token.child(i) for i in range(*slice(start, stop, stride).indices(size))]


# --- conditions -------------------------------------------------------------------------------------------------------


def _holds(test: Any, token: JToken, root: JToken) -> bool:
    work(1)
    if test.op == "and":
        return all(_holds(t, token, root) for t in test.parts)
    if test.op == "or":
        return any(_holds(t, token, root) for t in test.parts)
    if test.op == "exists":
        return bool(_operand(test.parts[0], token, root))
    right = test.parts[1]
    if isinstance(right, tuple):
        return any(_matches(value, right) for value in _operand(test.parts[0], token, root))
    rights = _operand(right, token, root)
    return any(
        _compared(test.op, one, other) for one in _operand(test.parts[0], token, root) for other in rights
    )


def _operand(part: Any, token: JToken, root: JToken) -> list[JToken]:
    return _follow(part, root, token) if isinstance(part, Path) else [part]


def _matches(token: JToken, pattern: tuple[str, str]) -> bool:
    from aforo.csharp.runtime.regexes import Regex, is_match

    if not isinstance(token, JValue) or not isinstance(token.value, str):
        return False
    bits = {"i": 1, "m": 2, "s": 16, "x": 4}
    return is_match(Regex(pattern[0], sum(bits.get(c, 0) for c in set(pattern[1]))), token.value)


def _compared(op: str, left: JToken, right: JToken) -> bool:
    if not isinstance(left, JValue) or not isinstance(right, JValue):
        # A container compares as equal to nothing, and as different from everything.
        return op == "!="
    one, other = left.value, right.value
    if op in ("==", "!="):
        return _same(one, other) == (op == "==")
    if one is None or other is None or isinstance(one, bool) or isinstance(other, bool):
        return op in ("<=", ">=") and one is None and other is None
    if isinstance(one, str) != isinstance(other, str):
        one, other = to_string(one), to_string(other)
    try:
        order = compare_values(one, other)
    except ArgumentException:
        return False
    return {"<": order < 0, ">": order > 0, "<=": order <= 0, ">=": order >= 0}[op]


def _same(one: Any, other: Any) -> bool:
    """Numbers by value; a text is the same as a date, Guid or span that is written so."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other
    if isinstance(one, str) != isinstance(other, str):
        if one is None or other is None or isinstance(one, (int, float)) or isinstance(other, (int, float)):
            return False
        return to_string(one) == to_string(other)
    return bool(one == other)


def select_token(token: JToken, expression: str | None, error_when_no_match: bool = False) -> JToken | None:
    hits = select_tokens(token, expression)
    if len(hits) > 1:
        raise JsonException("Path returned multiple tokens.")
    if not hits and error_when_no_match:
        raise _missing(token, expression or "")
    return hits[0] if hits else None


def select_tokens_or_fail(token: JToken, expression: str | None, error_when_no_match: bool) -> list[JToken]:
    hits = select_tokens(token, expression)
    if not hits and error_when_no_match:
        raise _missing(token, expression or "")
    return hits


def _missing(token: JToken, expression: str) -> JsonException:
    """Which step of a path finds nothing."""
    steps = _parsed(expression).steps
    now = [token]
    for step in steps:
        found = [h for each in now for h in _follow(Path((step,)), token, each)]
        if not found:
            kind = now[0].net_name.rpartition(".")[2]
            if step.kind == "names" and step.names:
                verb = "does not exist on" if isinstance(now[0], JObject) else "not valid on"
                return JsonException(f"Property '{step.names[0]}' {verb} {kind}.")
            if step.kind == "indexes" and isinstance(now[0], JArray):
                return JsonException(f"Index {step.indexes[0]} outside the bounds of JArray.")
            if step.kind in ("indexes", "slice"):
                return JsonException(f"Index {step.indexes[0]} not valid on {kind}.")
            break
        now = found
    return JsonException("Path returned no token.")
