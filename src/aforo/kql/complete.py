"""What can stand at a place of a query that is being written, for an editor: names, words, functions with signatures.

The part before the place is bound as far as it can be; what is wrong in it is left out, operator by operator. It never
raises on any text, and knows no editor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from aforo.kql import syntax as s
from aforo.kql.answer import UndiscoveredError
from aforo.kql.binder import Binder
from aforo.kql.bound import Column
from aforo.kql.compile import parse
from aforo.kql.cursor import Cursor, Expects, cursor_at
from aforo.kql.functions.catalog import AGGREGATES, SCALARS, SEVERAL, WINDOWS
from aforo.kql.functions.forms import FORMS
from aforo.kql.functions.spec import Function, Parameter
from aforo.kql.operators.catalog import BINDINGS, OPERATORS
from aforo.kql.operators.evaluating import PLUGINS
from aforo.kql.operators.presenting import VISUALIZATIONS
from aforo.kql.operators.refused import OPERATORS as REFUSED
from aforo.kql.size import TooLargeError
from aforo.kql.symbols import Database
from aforo.kql.tokens import TokenKind
from aforo.kql.types import KqlType
from aforo.source import Span, has_errors

MOST = 1_000
MAX_CHARACTERS = 200_000
# Values that a column can have, as the caller knows them: by name of the column.
Values = Mapping[str, tuple[str, ...]]

_WILL_NOT_RUN = {k for o in REFUSED for k in o.keywords}
_PIPED = {k: o.doc for o in OPERATORS if o.pipes for k in o.keywords if k not in _WILL_NOT_RUN}
_STARTING = {k: o.doc for o in OPERATORS if o.starts for k in o.keywords if k not in _WILL_NOT_RUN}
KEYWORDS = frozenset({*_PIPED, *_STARTING})
_INFIX = (
    "==", "!=", "<", "<=", ">", ">=", "=~", "!~", "and", "or", "in", "!in", "in~", "!in~", "has", "!has", "has_cs", "has_any",
    "has_all", "contains", "!contains", "contains_cs", "startswith", "!startswith", "endswith", "!endswith", "between",
    "matches regex",
)  # fmt: skip
_JOINS = (
    "inner",
    "innerunique",
    "leftouter",
    "rightouter",
    "fullouter",
    "leftsemi",
    "rightsemi",
    "leftanti",
    "rightanti",
)
_KINDS = {
    "join": _JOINS,
    "lookup": ("leftouter", "inner"),
    "union": ("outer", "inner"),
    "parse": ("simple", "regex", "relaxed"),
    "parse-where": ("simple", "regex", "relaxed"),
}
# Words of tabular operators beside their values.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "summarize": ("by",),
    "sort": ("by", "asc", "desc", "nulls first", "nulls last"),
    "order": ("by", "asc", "desc", "nulls first", "nulls last"),
    "top": ("by", "asc", "desc"),
    "top-nested": ("of", "by", "with others ="),
    "join": ("kind=", "on", "hint.strategy="),
    "lookup": ("kind=", "on"),
    "union": ("kind=", "withsource=", "isfuzzy="),
    "make-series": ("on", "from", "to", "step", "by", "default="),
    "mv-expand": ("to typeof(", "limit", "with_itemindex=", "bagexpansion="),
    "mv-apply": ("on (", "to typeof("),
    "parse": ("with", "kind="),
    "parse-where": ("with", "kind="),
    "parse-kv": ("as (", "with ("),
    "render": ("with (",),
    "range": ("from", "to", "step"),
    "search": ("in (", "kind="),
    "partition": ("by", "hint.strategy="),
    "sample-distinct": ("of",),
    "serialize": (),
    "distinct": (),
}
_AGGREGATING = frozenset({"summarize", "make-series", "top-nested", "evaluate", "top-hitters"})
_TABLES_TOO = frozenset({"join", "lookup", "union", "in", "search", "find"})


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`label` is shown, `text` is put in for the span. `kind`: table, column, function, aggregate, operator, keyword,
    value, variable, type, plugin."""

    label: str
    kind: str
    text: str
    detail: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """The function in whose arguments the place lies; `active` is the number of the argument, from 0."""

    name: str
    parameters: tuple[str, ...]
    result: str
    doc: str
    active: int


@dataclass(frozen=True, slots=True)
class Completion:
    """`span` is what a chosen suggestion replaces."""

    span: Span
    suggestions: tuple[Suggestion, ...]
    signature: Signature | None = None


def complete(
    text: str,
    offset: int,
    database: Database,
    *,
    now: int = 0,
    values: Values = MappingProxyType({}),
    docs: Mapping[str, str] = MappingProxyType({}),
) -> Completion:
    """What can stand at `offset` (in characters). `docs` say something about tables and `Table.Column`."""
    if len(text) > MAX_CHARACTERS:
        return Completion(Span(offset, offset), ())
    cursor = cursor_at(text, offset, KEYWORDS)
    if cursor.expects is Expects.NOTHING:
        return Completion(cursor.span, ())
    place = _Place(cursor, database, now, values, docs)
    wanted = cursor.word.lower()
    found: dict[tuple[str, str], Suggestion] = {}
    for suggestion in place.suggestions():
        if wanted in suggestion.label.lower():
            found.setdefault((suggestion.label, suggestion.kind), suggestion)
    ranked = sorted(found.values(), key=lambda s: not s.label.lower().startswith(wanted))
    return Completion(cursor.span, tuple(ranked[:MOST]), place.signature())


class _Place:
    def __init__(
        self, cursor: Cursor, database: Database, now: int, values: Values, docs: Mapping[str, str]
    ) -> None:
        self._cursor = cursor
        self._database = database
        self._now = now
        self._values = values
        self._docs = docs

    # -- what can stand here -------------------------------------------------------------------------

    def suggestions(self) -> Iterator[Suggestion]:
        """In the order of their likelihood."""
        cursor = self._cursor
        special = self._special()
        if special is not None:
            yield from special
            return
        match cursor.expects:
            case Expects.TEXT:
                return
            case Expects.STATEMENT:
                yield from self._tables()
                yield from self._variables()
                yield from _words(_STARTING, "operator")
                if cursor.frames[cursor.home].mark in ("", "{"):
                    yield from _words(
                        {
                            "let": "Gives something a name.",
                            "declare query_parameters(": "Names that come with the request.",
                        },
                        "keyword",
                    )
                if cursor.keyword == "let":
                    yield from _scalars()
            case Expects.OPERATOR:
                yield from _words(_PIPED, "operator")
            case Expects.CONNECTIVE:
                yield from _words(dict.fromkeys(_WORDS.get(cursor.keyword, ()), ""), "keyword")
                if cursor.keyword not in ("take", "limit", "render", "project-away", "project-keep"):
                    yield from _words(dict.fromkeys(_INFIX, ""), "keyword")
                if cursor.keyword in ("union", "join", "lookup"):
                    yield from self._tables()
            case _:
                yield from self._operands()

    def _special(self) -> Iterator[Suggestion] | None:
        """Places where only words of one sort can stand."""
        cursor = self._cursor
        tokens = cursor.tokens
        compared = self._compared()
        if compared is not None and compared in self._values:
            listed = self._values_of(compared)
            return listed if cursor.expects is Expects.TEXT else _chain(listed, self._operands())
        if cursor.expects is Expects.TEXT:
            return iter(())
        if cursor.behind("kind", "=") and cursor.keyword in _KINDS:
            return _words(dict.fromkeys(_KINDS[cursor.keyword], ""), "value")
        if cursor.keyword == "render" and cursor.behind("render"):
            return _words(dict.fromkeys(VISUALIZATIONS, ""), "value")
        if cursor.keyword == "evaluate" and cursor.behind("evaluate"):
            return _words({name: plugin.doc for name, plugin in PLUGINS.items()}, "plugin")
        if cursor.behind(":") or cursor.behind("typeof", "("):
            return _words(dict.fromkeys((t.value for t in KqlType), ""), "type")
        if cursor.behind("."):
            side = tokens[-2].text if len(tokens) > 1 else ""
            if side in ("$left", "$right"):
                columns = self.columns() if side == "$left" else self._right()
                return self._columns(columns)
            return iter(())
        if (
            cursor.expects is Expects.OPERAND
            and cursor.keyword in ("take", "limit", "sample")
            and cursor.call is None
        ):
            return iter(())
        return None

    def _operands(self) -> Iterator[Suggestion]:
        cursor = self._cursor
        inside = cursor.call is not None or cursor.frames[-1] is not cursor.frames[cursor.home]
        if cursor.keyword in _TABLES_TOO and not inside and not self._behind_on():
            yield from self._tables()
            if cursor.keyword in ("join", "lookup", "union"):
                yield from self._variables()
                return
        yield from self._columns(self.columns())
        if self._behind_on():
            yield from self._columns(self._right())
            yield from _words(
                {"$left": "The rows before the join.", "$right": "The rows that are joined."}, "keyword"
            )
            return
        yield from self._variables()
        if cursor.keyword in ("project-away", "project-keep", "project-reorder", "distinct", "mv-expand"):
            return
        if cursor.keyword in _AGGREGATING:
            yield from _functions(AGGREGATES, "aggregate")
        yield from _scalars()
        yield from self._saved()
        if cursor.keyword in ("extend", "project", "serialize", "where"):
            yield from _functions(WINDOWS, "function")
        if cursor.behind("in", "(") or cursor.behind("in~", "("):
            yield from self._tables()

    def _behind_on(self) -> bool:
        """Whether the keys of a join are being written."""
        cursor = self._cursor
        if cursor.keyword not in ("join", "lookup"):
            return False
        frame = cursor.frames[cursor.home]
        start = frame.pipes[-1] if frame.pipes else frame.statement
        depth = 0
        for token in cursor.tokens[start:]:
            depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
            if depth == 0 and token.text == "on":
                return True
        return False

    def _tables(self) -> Iterator[Suggestion]:
        for name in self._database.tables:
            yield Suggestion(name, "table", _quoted(name), "", self._docs.get(name, ""))
        yield from self._saved()

    def _saved(self) -> Iterator[Suggestion]:
        for name, text in self._database.functions.items():
            yield Suggestion(name, "function", f"{name}(", f"{name}{text.partition('{')[0].strip()}")

    def _columns(self, columns: Iterable[Column]) -> Iterator[Suggestion]:
        tables = [t.name for t in self._database.tables.values()]
        for column in columns:
            doc = next(
                (d for t in tables if t in self._cursor.text and (d := self._docs.get(f"{t}.{column.name}"))),
                "",
            )
            yield Suggestion(column.name, "column", _quoted(column.name), column.type.value, doc)

    def _variables(self) -> Iterator[Suggestion]:
        for statement in self._lets():
            name = statement.partition("=")[0].removeprefix("let").strip()
            if name.isidentifier():
                value = " ".join(statement.partition("=")[2].split())
                yield Suggestion(name, "variable", name, value[:60])

    def _compared(self) -> str | None:
        """The column to which a value is being compared: `Level == `, `Level in (`."""
        tokens = list(self._cursor.tokens)
        frame = self._cursor.frames[-1]
        if (frame.mark == "(" and frame.caller in ("in", "in~", "has_any")) or (
            frame.mark == "(" and frame.first >= 2 and tokens[frame.first - 2].text in ("!in", "!in~")
        ):
            tokens = tokens[: frame.first - 1]
        if len(tokens) < 2 or tokens[-1].text not in (
            "==", "!=", "=~", "!~", "in", "in~", "!in", "!in~", "has_any", "has", "contains", "startswith",
        ):  # fmt: skip
            return None
        return tokens[-2].text

    def _values_of(self, column: str) -> Iterator[Suggestion]:
        inside = self._cursor.expects is Expects.TEXT
        for value in self._values[column]:
            yield Suggestion(value, "value", value if inside else f"'{value}'", column)

    # -- the rows before the place -------------------------------------------------------------------

    def columns(self) -> tuple[Column, ...]:
        """The columns that the operator at hand reads."""
        return self._of_frame(self._cursor.home)

    def _of_frame(self, at: int) -> tuple[Column, ...]:
        frame = self._cursor.frames[at]
        tokens = self._cursor.tokens
        if frame.mark == "(" and frame.caller in ("on", "by"):
            # The rows of `mv-apply` and `partition` have no name: they are those of the operator around.
            return (*self._of_frame(at - 1), *self._elements(at))
        for pipe in reversed(frame.pipes):
            start = tokens[frame.statement].span.start
            text = self._cursor.text[start : tokens[pipe].span.start]
            found = self._bound(text)
            if found:
                return found
        # What looks like a query in a bracket may be a bracket that was never closed.
        return self._of_frame(at - 1) if at else ()

    def _elements(self, at: int) -> Iterator[Column]:
        """What `mv-apply name = array on (` gives a name to."""
        outer, first = self._cursor.frames[at - 1], self._cursor.frames[at].first
        tokens = self._cursor.tokens[outer.pipes[-1] if outer.pipes else outer.statement : first]
        for name, mark in pairwise(tokens):
            if mark.text == "=" and name.kind is TokenKind.NAME:
                yield Column(-1, name.text, KqlType.DYNAMIC)

    def _right(self) -> tuple[Column, ...]:
        """The columns of the right side of the join at hand."""
        frame = self._cursor.frames[self._cursor.home]
        start = frame.pipes[-1] + 1 if frame.pipes else frame.statement
        tokens = self._cursor.tokens[start + 1 :]
        at = next((i for i, t in enumerate(tokens) if t.text == "("), None)
        end = next((i for i, t in enumerate(tokens) if t.text == "on"), len(tokens))
        if at is None or at > end:
            named = tokens[end - 1] if end else None
            return self._bound(named.text) if named is not None else ()
        return self._bound(self._cursor.text[tokens[at].span.start : tokens[end - 1].span.end])

    def _bound(self, text: str) -> tuple[Column, ...]:
        """The columns of a query behind the statements before the place; () when they cannot be told."""
        tree, _ = parse("".join(f"{let};\n" for let in self._lets()) + text)
        binder = Binder(self._database, BINDINGS, _function, now=self._now, timespan=None, parameters={})
        try:
            answer = binder.query(tree)
        except (UndiscoveredError, TooLargeError, RecursionError):
            return ()
        return answer.relation.columns if answer is not None else ()

    def _lets(self) -> Iterator[str]:
        """The `let` statements that are finished before the place, those of the bodies around it too."""
        tokens = self._cursor.tokens
        for frame in self._cursor.frames[: self._cursor.home + 1]:
            if frame.mark not in ("", "{"):
                continue
            yield from self._parameters(frame)
            begin = frame.first
            for at in range(frame.first, frame.statement):
                if (
                    tokens[at].text == ";"
                    and tokens[at].span.end <= self._cursor.span.start
                    and self._flat(begin, at)
                ):
                    if begin < at and tokens[begin].text == "let":
                        yield self._cursor.text[tokens[begin].span.start : tokens[at].span.start]
                    begin = at + 1

    def _flat(self, begin: int, end: int) -> bool:
        depth = 0
        for token in self._cursor.tokens[begin:end]:
            depth += (token.text in ("{", "(", "[")) - (token.text in ("}", ")", "]"))
        return depth == 0

    def _parameters(self, frame: object) -> Iterator[str]:
        """The parameters of the function in whose body the place lies, as statements."""
        first = getattr(frame, "first", 0)
        tokens = self._cursor.tokens
        if getattr(frame, "mark", "") != "{" or first < 3 or tokens[first - 2].text != ")":
            return
        at, depth = first - 2, 0
        while at >= 0:
            depth += (tokens[at].text == ")") - (tokens[at].text == "(")
            if depth == 0:
                break
            at -= 1
        i = at + 1
        while i + 2 < first - 1:
            if tokens[i + 1].text == ":":
                name, kind = tokens[i].text, tokens[i + 2]
                if kind.text == "(":
                    end = next((j for j in range(i + 3, first) if tokens[j].text == ")"), i + 3)
                    schema = self._cursor.text[kind.span.start : tokens[end].span.end]
                    yield (
                        f"let {name} = datatable{schema} []"
                        if "*" not in schema
                        else f"let {name} = print _ = 1"
                    )
                    i = end
                else:
                    yield f"let {name} = {kind.text}(null)" if kind.text != "string" else f"let {name} = ''"
                    i += 2
            i += 1

    # -- the call around the place -------------------------------------------------------------------

    def signature(self) -> Signature | None:
        """Of the innermost call."""
        call = self._cursor.call
        if call is None:
            return None
        name, active = call.caller, call.commas
        function: Function | None = (
            AGGREGATES.get(name)
            if self._cursor.keyword in _AGGREGATING and name in AGGREGATES
            else SCALARS.get(name) or AGGREGATES.get(name) or WINDOWS.get(name) or SEVERAL.get(name)
        )
        if function is not None:
            parameters = tuple(_shown(p) for p in function.parameters)
            result = function.result.value if isinstance(function.result, KqlType) else ""
            return Signature(name, parameters, result, function.doc, active)
        if name in FORMS:
            listed, result, doc = FORMS[name]
            return Signature(
                name, tuple(p.strip() for p in listed.split(",") if p.strip()), result, doc, active
            )
        saved = self._database.functions.get(name)
        if saved is not None:
            listed = saved.partition("{")[0].strip().removeprefix("(").removesuffix(")")
            return Signature(name, tuple(p.strip() for p in listed.split(",") if p.strip()), "", "", active)
        return None


def _function(name: str, text: str) -> s.Function | None:
    """A saved function's text as syntax; None when it is broken."""
    body = text if text.lstrip().startswith("(") and "{" in text else "() {" + text + "}"
    tree, mistakes = parse(f"let {name} = {body}; print 1")
    let = tree.statements[0] if tree.statements and not has_errors(mistakes) else None
    return let.value if isinstance(let, s.Let) and isinstance(let.value, s.Function) else None


def _functions(functions: Mapping[str, Function], kind: str) -> Iterator[Suggestion]:
    for name, function in functions.items():
        shown = ", ".join(_shown(p) for p in function.parameters)
        result = f": {function.result.value}" if isinstance(function.result, KqlType) else ""
        yield Suggestion(name, kind, f"{name}(", f"{name}({shown}){result}", function.doc)


def _scalars() -> Iterator[Suggestion]:
    yield from _functions(SCALARS, "function")
    for name, (parameters, result, doc) in FORMS.items():
        yield Suggestion(name, "function", f"{name}(", f"{name}({parameters}): {result}", doc)


def _shown(parameter: Parameter) -> str:
    kind = parameter.preferred.value if parameter.preferred is not None else "any"
    if len(parameter.types) == 1:
        kind = next(iter(parameter.types)).value
    return f"{parameter.name}{'?' if parameter.optional else ''}: {kind}{'...' if parameter.repeated else ''}"


def _words(words: Mapping[str, str], kind: str) -> Iterator[Suggestion]:
    for word, doc in words.items():
        yield Suggestion(word, kind, word, "", doc)


def _chain(*parts: Iterator[Suggestion]) -> Iterator[Suggestion]:
    for part in parts:
        yield from part


def _quoted(name: str) -> str:
    """A name as it has to be written."""
    return name if name.isidentifier() else f"['{name}']"
