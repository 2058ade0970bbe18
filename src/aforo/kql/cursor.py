"""Where somebody stands in a text that is still being written: in which pipeline, behind which operator, in which call.

It works on tokens alone, so that no mistake before or behind the place matters. It knows no table and no function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from aforo.kql.lexer import lex
from aforo.kql.tokens import Token, TokenKind
from aforo.source import Span

# From the end backwards: to look for a word that ends there from each place before it would take for ever.
_WORD = re.compile(r"[\w$]*")
_HYPHENED = re.compile(r"[\w-]*")
_BEFORE_A_WORD = re.compile(r"^[^A-Za-z_$]+")
_REST = re.compile(r"[\w]*")
_CLOSING = {")": "(", "]": "[", "}": "{"}
# Behind these a parenthesis opens a query of its own.
_QUERY_WORDS = frozenset(
    {"join", "lookup", "union", "in", "in~", "!in", "!in~", "toscalar", "materialize", "as", "partition"}
)
_QUERY_CALLS = frozenset({"toscalar", "materialize"})
_STEPS_BEHIND = frozenset({"on", "by"})


class Expects(Enum):
    """What can stand at a place."""

    NOTHING = "nothing"  # in a comment or a text
    TEXT = "text"  # in a text that is not closed yet: values of a column at most
    STATEMENT = "statement"  # the beginning of a query or of a statement
    OPERATOR = "operator"  # behind a pipe
    OPERAND = "operand"  # a value, or a table where the operator takes one
    CONNECTIVE = "connective"  # behind a value: an operator between values, a word of the tabular operator


@dataclass(slots=True)
class Frame:
    """What a bracket (or the text itself) holds: its first token, the pipes in it, where its last statement begins."""

    mark: str
    first: int  # index of the token behind the bracket
    caller: str = ""  # the word before it
    statement: int = 0
    pipes: list[int] = field(default_factory=list)
    commas: int = 0

    def begin(self, index: int) -> None:
        self.statement, self.pipes, self.commas = index, [], 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a text. `word` is what of a word stands before it, `span` the whole word, `tokens` those before it."""

    text: str
    offset: int
    word: str
    span: Span
    tokens: tuple[Token, ...]
    frames: tuple[Frame, ...]
    home: int  # index in `frames` of the one whose pipeline this is
    expects: Expects
    keyword: str  # of the tabular operator, "" at the beginning of a pipeline
    call: Frame | None  # the call in whose arguments it stands

    @property
    def last(self) -> Token | None:
        return self.tokens[-1] if self.tokens else None

    def behind(self, *words: str) -> bool:
        """Whether these words stand directly before the place."""
        found = tuple(t.text for t in self.tokens[-len(words) :])
        return found == words


def cursor_at(text: str, offset: int, keywords: frozenset[str]) -> Cursor:
    """The cursor at an offset in characters. `keywords` are the tabular operators."""
    offset = max(0, min(offset, len(text)))
    before = text[:offset]
    tokens, _ = lex(before)
    tokens.pop()  # the end
    word = _ending(_WORD, before)
    opened = _opened(before, tokens)
    if opened is None:
        tail = before[tokens[-1].span.end :] if tokens else before
        if "//" in tail and "\n" not in tail[tail.index("//") :]:
            return _nowhere(text, offset)
    else:
        tokens = [t for t in tokens if t.span.start < opened]
        word = before[opened + 1 :]
    start = offset - len(word)
    done = [t for t in tokens if t.span.end <= start]
    frames = _frames(done)
    home = _home(done, frames)
    frame = frames[home]
    if opened is None and frame.pipes and done and done[-1].text == "|" and frames[-1] is frame:
        word = _ending(_HYPHENED, before)
        start = offset - len(word)
        done = [t for t in tokens if t.span.end <= start]
    elif opened is None and len(done) >= 2 and done[-1].text == "-":
        # `project-aw`: the lexer knows no hyphens in words.
        whole = _ending(_HYPHENED, before)
        if any(k.startswith(whole) for k in keywords) and "-" in whole:
            cut = offset - len(whole)
            done = [t for t in tokens if t.span.end <= cut]
            if done and done[-1].text == "|":
                word, start = whole, cut
                frames = _frames(done)
                home = _home(done, frames)
                frame = frames[home]
            else:
                done = [t for t in tokens if t.span.end <= start]
    keyword = _keyword(done, frame, keywords)
    expects = Expects.TEXT if opened is not None else _expects(done, frames, home, keyword)
    rest = "" if opened is not None or (ahead := _REST.match(text, offset)) is None else ahead[0]
    call = next((f for f in reversed(frames[home:]) if _is_call(f)), None)
    return Cursor(
        text,
        offset,
        word,
        Span(start, offset + len(rest)),
        tuple(done),
        tuple(frames),
        home,
        expects,
        keyword,
        call,
    )


def _nowhere(text: str, offset: int) -> Cursor:
    root = Frame("", 0)
    return Cursor(text, offset, "", Span(offset, offset), (), (root,), 0, Expects.NOTHING, "", None)


def _ending(run: re.Pattern[str], text: str) -> str:
    """The word that the text ends with; digits and hyphens before its first letter are none of it."""
    found = run.match(text[::-1])
    return _BEFORE_A_WORD.sub("", found[0][::-1], count=1) if found is not None else ""


def _opened(before: str, tokens: list[Token]) -> int | None:
    """Where a text begins that is not closed before the place; None when there is none."""
    at = tokens[-1].span.end if tokens else 0
    tail = before[at:]
    stripped = tail.lstrip()
    if stripped[:1] in ("'", '"'):
        return len(before) - len(stripped)
    last = tokens[-1] if tokens else None
    if last is not None and last.kind is TokenKind.STRING and last.span.end == len(before):
        raw = before[last.span.start :]
        quote = raw.lstrip("hH@")[:1]
        if quote in ("'", '"') and (len(raw.lstrip("hH@")) == 1 or not raw.endswith(quote)):
            return last.span.start + raw.index(quote)
    return None


def _frames(tokens: list[Token]) -> list[Frame]:
    """The brackets that are open behind the last token, outermost first; the first one is the text."""
    frames = [Frame("", 0)]
    for index, token in enumerate(tokens):
        if token.kind is not TokenKind.MARK:
            continue
        match token.text:
            case "(" | "[" | "{":
                frames.append(Frame(token.text, index + 1, _caller(tokens, index), index + 1))
            case ")" | "]" | "}":
                if len(frames) > 1 and frames[-1].mark == _CLOSING[token.text]:
                    frames.pop()
            case ";":
                while len(frames) > 1 and frames[-1].mark != "{":
                    frames.pop()  # whatever was left open ends with its statement
                frames[-1].begin(index + 1)
            case "|":
                frames[-1].pipes.append(index)
            case ",":
                frames[-1].commas += 1
    return frames


def _caller(tokens: list[Token], index: int) -> str:
    before = tokens[index - 1] if index else None
    return before.text if before is not None and before.kind in (TokenKind.NAME, TokenKind.TYPED) else ""


def _is_call(frame: Frame) -> bool:
    return frame.mark == "(" and bool(frame.caller) and frame.caller not in _QUERY_WORDS - _QUERY_CALLS


def _home(tokens: list[Token], frames: list[Frame]) -> int:
    """The innermost bracket that holds a pipeline."""
    for at in range(len(frames) - 1, 0, -1):
        frame = frames[at]
        if frame.pipes or frame.mark == "{":
            return at
        if frame.mark == "(" and _holds_query(tokens, frames, at):
            return at
    return 0


def _holds_query(tokens: list[Token], frames: list[Frame], at: int) -> bool:
    frame = frames[at]
    if frame.caller in _QUERY_WORDS or frame.caller in _STEPS_BEHIND:
        return True
    before = tokens[frame.first - 2] if frame.first >= 2 else None
    outer = frames[at - 1]
    if before is None or (outer.mark == "(" and not outer.pipes and outer.caller):
        return before is None
    # `join kind=inner (`, `union (A), (`, `= (` of a let, `| mv-apply x on (`
    start = outer.pipes[-1] + 1 if outer.pipes else outer.statement
    word = tokens[start].text if start < frame.first - 1 else ""
    return word in ("join", "lookup", "union") or (word == "let" and before.text == "=")


def _keyword(tokens: list[Token], frame: Frame, keywords: frozenset[str]) -> str:
    """The tabular operator in whose words the place lies."""
    start = frame.pipes[-1] + 1 if frame.pipes else frame.statement
    if start >= len(tokens):
        return ""
    word, at = tokens[start].text, start
    while (
        at + 2 < len(tokens)
        and tokens[at + 1].text == "-"
        and f"{word}-{tokens[at + 2].text}" in keywords | _parts(keywords)
    ):
        word, at = f"{word}-{tokens[at + 2].text}", at + 2
    return word if word in keywords or word in ("let", "set", "declare") else ""


def _parts(keywords: frozenset[str]) -> frozenset[str]:
    return frozenset(k.rpartition("-")[0] for k in keywords if k.count("-") > 1)


def _expects(tokens: list[Token], frames: list[Frame], home: int, keyword: str) -> Expects:
    frame = frames[home]
    last = tokens[-1] if tokens else None
    if last is None or len(tokens) == frame.statement:
        steps = frame.mark == "(" and frame.caller in _STEPS_BEHIND
        return Expects.OPERATOR if steps else Expects.STATEMENT
    if last.text == "|" and last.kind is TokenKind.MARK:
        return Expects.OPERATOR
    if keyword == "let" and not frame.pipes and last.text == "=":
        return Expects.STATEMENT
    value = last.kind in (
        TokenKind.NUMBER,
        TokenKind.TIMESPAN,
        TokenKind.STRING,
        TokenKind.TYPED,
    ) or last.text in (")", "]", "}")
    if value or (
        last.kind is TokenKind.NAME
        and last.text.lower() not in _OPENING_WORDS
        and last.text != keyword.rpartition("-")[2]
    ):
        return Expects.CONNECTIVE
    return Expects.OPERAND


# Words behind which a value comes.
_OPENING_WORDS = frozenset(
    [
        "and",
        "or",
        "by",
        "on",
        "in",
        "has",
        "has_cs",
        "hasprefix",
        "hasprefix_cs",
        "hassuffix",
        "hassuffix_cs",
        "contains",
        "contains_cs",
        "startswith",
        "startswith_cs",
        "endswith",
        "endswith_cs",
        "has_any",
        "has_all",
        "between",
        "matches",
        "regex",
        "with",
        "to",
        "from",
        "step",
        "let",
        "where",
        "extend",
        "project",
        "summarize",
        "order",
        "sort",
        "top",
        "distinct",
        "join",
        "union",
        "lookup",
        "kind",
        "asc",
        "desc",
        "evaluate",
        "invoke",
        "render",
        "not",
        "of",
    ]
) - {"asc", "desc"}
