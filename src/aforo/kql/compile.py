"""The pipeline in one expression: text -> tokens -> syntax -> plan -> lowered plan -> SQL. No clock, no files, no tables
but those that the caller describes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from aforo.kql import diagnostics as say
from aforo.kql import syntax as s
from aforo.kql.answer import UndiscoveredError
from aforo.kql.binder import Binder
from aforo.kql.bound import Relation
from aforo.kql.external import ExternalData
from aforo.kql.lexer import lex
from aforo.kql.lower import lower
from aforo.kql.operators.catalog import BINDINGS, PIPED, STARTING
from aforo.kql.parser import Parser
from aforo.kql.size import TooLargeError
from aforo.kql.sql.dialect import Dialect
from aforo.kql.sql.duckdb.dialect import DuckDb
from aforo.kql.sql.writer import write
from aforo.kql.symbols import ColumnSymbol, Database
from aforo.kql.ticks import from_datetime
from aforo.kql.time_ranges import TimeRange
from aforo.source import Diagnostic, Source, Span, has_errors

MAX_CHARACTERS = 2_000_000
_HALF = re.compile("[\ud800-\udfff]")
DIALECTS: Mapping[str, Dialect] = MappingProxyType({"duckdb": DuckDb()})
Moment = datetime | int


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query ready to run on a connection that its engine has prepared (`prepare` in the folder of the dialect).

    `sql` gives canonical values: datetime and timespan as ticks of 100 ns (datetimes since 0001-01-01), dynamic as JSON
    text, string never NULL, the others as they are. `json_sql` gives the same rows as one text column, each row a JSON
    array of cells in Log Analytics' encoding. `tables` are the names that it reads; `time_range` has for each of them
    the (least, greatest) ticks of `TimeGenerated` that can matter (either may be None), None when nothing is known.
    `render` is what the query's `render` said. `external` are tables of texts that the caller makes of files outside
    before it runs the SQL.
    """

    columns: tuple[ColumnSymbol, ...]
    sql: str
    json_sql: str
    tables: tuple[str, ...]
    time_range: Mapping[str, TimeRange | None]
    render: Mapping[str, object] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    external: tuple[ExternalData, ...] = ()


@dataclass(frozen=True, slots=True)
class Discovery:
    """A query whose rows the compiler must know first: run `compiled.sql`, then compile again with its rows (tuples of
    canonical values) in `discovered` under `key`, beside those of earlier rounds."""

    key: str
    compiled: Compiled


@dataclass(frozen=True, slots=True)
class CompileResult:
    """`compiled` is None exactly when `diagnostics` has errors, or when there is a `discovery` to be made; warnings may
    stand beside a compiled query."""

    compiled: Compiled | None
    diagnostics: tuple[Diagnostic, ...]
    discovery: Discovery | None = None


# A query asks for what it must know in so many rounds at most.
MOST_DISCOVERIES = 16


def compile_query(
    source: Source,
    database: Database,
    *,
    now: Moment,
    timespan: tuple[Moment | None, Moment | None] | None = None,
    parameters: Mapping[str, str] = MappingProxyType({}),
    dialect: str = "duckdb",
    discovered: Mapping[str, Sequence[Sequence[object]]] = MappingProxyType({}),
) -> CompileResult:
    """Compiles a query over `database`.

    `now` is what `now()` gives, as a datetime (UTC) or as ticks of 100 ns since 0001-01-01. `timespan` (start, end,
    both inclusive, either None) limits every table that has `TimeGenerated`. `parameters` are the values of declared
    query parameters as texts.
    """
    engine = DIALECTS[dialect]
    tree, mistakes = parse(source.text)
    if has_errors(mistakes):
        return CompileResult(None, tuple(_in_order(mistakes)))
    span = None if timespan is None else (_ticks(timespan[0]), _ticks(timespan[1]))
    binder = Binder(
        database, BINDINGS, _parse_function, now=_ticks(now) or 0, timespan=span, parameters=parameters,
        discovered=discovered,
    )  # fmt: skip
    try:
        answer = binder.query(tree)
    except UndiscoveredError as wanted:
        if len(discovered) >= MOST_DISCOVERIES:
            binder.report(say.too_many_discoveries(MOST_DISCOVERIES, binder.place))
        if has_errors(binder.mistakes):
            return CompileResult(None, tuple(_in_order([*mistakes, *binder.mistakes])))
        try:
            asked = _write(wanted.relation, engine, binder, None, ())
        except RecursionError:
            return CompileResult(None, (say.too_deep(Span(0, len(source.text))),))
        return CompileResult(None, (), Discovery(wanted.key, asked))
    except RecursionError:
        return CompileResult(None, (say.too_deep(Span(0, len(source.text))),))
    except TooLargeError:
        return CompileResult(None, (say.too_large(binder.budget.most, binder.place),))
    mistakes = _in_order([*mistakes, *binder.mistakes])
    if answer is None or has_errors(mistakes):
        return CompileResult(None, tuple(mistakes))
    try:
        compiled = _write(answer.relation, engine, binder, answer.render, tuple(mistakes))
    except RecursionError:
        return CompileResult(None, (say.too_deep(Span(0, len(source.text))),))
    return CompileResult(compiled, tuple(mistakes))


def parse(text: str) -> tuple[s.Query, list[Diagnostic]]:
    """The syntax of a text with every mistake of lexer and parser; it never raises."""
    if len(text) > MAX_CHARACTERS:
        span = Span(0, len(text))
        return s.Query((), None, span), [say.too_long(MAX_CHARACTERS, span)]
    if (half := _HALF.search(text)) is not None:
        return s.Query((), None, Span(0, len(text))), [say.half_character(Span(*half.span()))]
    tokens, unread = lex(text)
    try:
        tree, mistakes = Parser(tokens, PIPED, STARTING).query()
    except RecursionError:
        span = Span(0, len(text))
        return s.Query((), None, span), [*unread, say.too_deep(span)]
    return tree, [*unread, *mistakes]


def _parse_function(name: str, text: str) -> s.Function | None:
    """A saved function's text: `(parameters) { body }`, or a bare query."""
    body = text if text.lstrip().startswith("(") and "{" in text else "() {" + text + "}"
    tokens, unread = lex(f"let {name} = {body}")
    parser = Parser(tokens, PIPED, STARTING)
    value = parser.let().value
    broken = has_errors([*unread, *parser.mistakes])
    return value if isinstance(value, s.Function) and not broken else None


def _write(
    relation: Relation,
    engine: Dialect,
    binder: Binder,
    render: Mapping[str, object] | None,
    mistakes: tuple[Diagnostic, ...],
) -> Compiled:
    columns = relation.columns
    lowered = lower(relation)
    tree, names = write(lowered.relation, engine)
    sql = tree.sql(dialect=engine.name, copy=False, normalize_functions=False, comments=False)
    return Compiled(
        columns=tuple(ColumnSymbol(c.name, c.type) for c in columns),
        sql=sql,
        json_sql=engine.as_json(sql, names, [c.type for c in columns]),
        tables=tuple(dict.fromkeys(binder.scanned)),
        time_range=lowered.time_ranges,
        render=render,
        diagnostics=mistakes,
        external=tuple(binder.external),
    )


def _ticks(moment: Moment | None) -> int | None:
    return from_datetime(moment) if isinstance(moment, datetime) else moment


def _in_order(mistakes: Sequence[Diagnostic]) -> list[Diagnostic]:
    """By place, each mistake once (a let-bound table is bound wherever it is used)."""
    unique = dict.fromkeys(mistakes)
    return sorted(unique, key=lambda d: (d.span.start, d.span.end))
