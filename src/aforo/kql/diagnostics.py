"""All wording of the KQL compiler: one function per mistake. It knows places and names, not how they were found.

Codes: KQL00xx text and size, KQL01xx grammar, KQL02xx names, KQL03xx types and arguments, KQL04xx graphs, KQL09xx what
will not run here. `diagnostics.kql` tells of each.
"""

from __future__ import annotations

from collections.abc import Iterable

from aforo.nearest import nearest
from aforo.source import Diagnostic, Severity, Span


def _nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    close = nearest(name, known)
    if close and close[0].lower() == name.lower():
        return (f"names are case-sensitive: did you mean '{close[0]}'?",)
    return ("did you mean " + " or ".join(f"'{c}'" for c in close) + "?",) if close else ()


# -- text and size ---------------------------------------------------------------------------------------


def unexpected_character(char: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0001", f"unexpected character {char!r}", span)


def open_string(span: Span) -> Diagnostic:
    return Diagnostic("KQL0002", "this string has no closing quote", span)


def open_literal(name: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0003", f"{name}( has no closing parenthesis", span)


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0004", "this is nested too deeply", span, hints=("split it with 'let' or 'extend'",)
    )


def too_long(limit: int, span: Span) -> Diagnostic:
    return Diagnostic("KQL0005", f"the query is longer than {limit:,} characters", span)


def unknown_escape(text: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0006",
        f"there is no escape '{text}'",
        span,
        hints=("write @'...' for a text in which \\ means itself",),
    )


def half_character(span: Span) -> Diagnostic:
    return Diagnostic("KQL0007", "this text holds one half of a character (a lone surrogate)", span)


def too_large(limit: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0008",
        f"with every 'let' and function put in its place this has more than {limit:,} parts",
        span,
        hints=("'extend' computes a value once, for all that read it after",),
    )


def too_many_discoveries(limit: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0009",
        f"more than {limit} parts of this query have columns that only the data can tell",
        span,
        hints=("say the columns: evaluate bag_unpack(...) : (a:string, b:long)",),
    )


# -- grammar ---------------------------------------------------------------------------------------------


def expected(what: str, found: str, span: Span, *hints: str) -> Diagnostic:
    return Diagnostic("KQL0101", f"expected {what}, found {found}", span, hints=hints)


def missing_pipe(keyword: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0102", f"a pipe is missing before '{keyword}'", span, hints=(f"write '| {keyword} ...'",)
    )


def unknown_operator(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0103", f"there is no tabular operator '{name}'", span, hints=_nearest(name, known))


def bad_literal(kind: str, text: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0104", f"{text!r} is not a {kind}", span)


def out_of_range(kind: str, text: str, span: Span) -> Diagnostic:
    hints = ("real(...) and decimal(...) hold larger numbers",) if kind == "long" else ()
    return Diagnostic("KQL0108", f"{text} is more than a {kind} can hold", span, hints=hints)


def unknown_type(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0105", f"there is no type '{name}'", span, hints=_nearest(name, known))


def no_query(span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0106",
        "there is no query here",
        span,
        hints=("a query starts with a table, for example 'T | take 10'",),
    )


def several_results(span: Span) -> Diagnostic:
    return Diagnostic("KQL0107", "a query has one result; this would be a second one", span)


# -- names -----------------------------------------------------------------------------------------------


def unknown_column(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    known = tuple(known)
    hints = _nearest(name, known)
    if not hints and known:
        shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
        hints = (f"the columns here are {shown}",)
    return Diagnostic("KQL0201", f"there is no column '{name}'", span, hints=hints)


def unknown_table(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0202", f"there is no table '{name}'", span, hints=_nearest(name, known))


# The codes of tables and places that are not there: `union isfuzzy=true` goes without them.
NOT_THERE = frozenset({"KQL0202", "KQL0904"})


def left_out(mistake: Diagnostic) -> Diagnostic:
    """A table that is not there, and need not be."""
    return Diagnostic("KQL0906", f"{mistake.message}: the union goes without it", mistake.span, Severity.INFO)


def unknown_function(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0203", f"there is no function '{name}'", span, hints=_nearest(name, known))


def unknown_plugin(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0209", f"there is no plugin '{name}'", span, hints=_nearest(name, known))


def duplicate_column(name: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0204", f"the column '{name}' is there twice", span)


def endless(name: str, span: Span) -> Diagnostic:
    message = f"'{name}' calls itself, or stands in calls that are nested too deeply"
    return Diagnostic("KQL0205", message, span)


def unknown_parameter(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("KQL0206", f"there is no parameter '{name}'", span, hints=_nearest(name, known))


def missing_parameter(name: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0207", f"the query parameter '{name}' has no value and no default", span)


def broken_function(name: str) -> Diagnostic:
    return Diagnostic("KQL0208", f"the saved function '{name}' cannot be read", Span(0, 0))


def inside(name: str, mistake: Diagnostic, call: Span) -> Diagnostic:
    """A mistake in the text of a saved function, told at the place of its call."""
    message = f"in the saved function '{name}': {mistake.message}"
    return Diagnostic(mistake.code, message, call, mistake.severity, mistake.hints)


# -- types and arguments ---------------------------------------------------------------------------------


def wrong_type(what: str, wanted: str, got: str, span: Span, *hints: str) -> Diagnostic:
    return Diagnostic("KQL0301", f"{what} must be {wanted}, this is {got}", span, hints=hints)


def no_operator(op: str, left: str, right: str, span: Span, *hints: str) -> Diagnostic:
    return Diagnostic("KQL0302", f"'{op}' cannot be applied to {left} and {right}", span, hints=hints)


def wrong_count(name: str, wanted: str, got: int, span: Span) -> Diagnostic:
    return Diagnostic("KQL0303", f"{name}() takes {wanted}, here are {got}", span)


def must_be_constant(what: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0304", f"{what} must be a constant", span)


def aggregate_outside(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0305", f"{name}() is an aggregate and stands only in 'summarize' and the like", span,
        hints=(f"write '| summarize {name}(...)'",),
    )  # fmt: skip


def not_aggregate(span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0306", "this is not an aggregate: each expression before 'by' needs one such as count() or sum(x)", span,
        hints=("a column to group by stands after 'by'",),
    )  # fmt: skip


def not_a_table(span: Span) -> Diagnostic:
    return Diagnostic("KQL0307", "a table is expected here, this is a single value", span)


def not_a_scalar(span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0308",
        "a single value is expected here, this is a table",
        span,
        hints=("toscalar(...) takes one value",),
    )


def bad_argument(message: str, span: Span, *hints: str) -> Diagnostic:
    return Diagnostic("KQL0309", message, span, hints=hints)


def bad_row_count(value: object, span: Span) -> Diagnostic:
    got = "null" if value is None else str(value)
    return Diagnostic("KQL0312", f"the number of rows must be 0 or more, this is {got}", span)


def needs_order(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0310",
        f"{name}() needs rows in an order",
        span,
        hints=("put '| sort by ...' or '| serialize' before it",),
    )


def needs_graph(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0402", f"{name} needs a graph", span, hints=("put '| make-graph from --> to' before it",)
    )


def lost_graph(span: Span) -> Diagnostic:
    """A graph where rows are wanted."""
    return Diagnostic(
        "KQL0403",
        "a graph is no table",
        span,
        hints=("'| graph-match ... project ...' gives one, '| graph-to-table' too",),
    )


# -- not supported ---------------------------------------------------------------------------------------


def unsupported(what: str, span: Span, *hints: str) -> Diagnostic:
    return Diagnostic("KQL0901", f"{what} is not supported yet", span, hints=hints)


def refused(what: str, reason: str, span: Span, *hints: str) -> Diagnostic:
    """What is known and will not run here."""
    return Diagnostic("KQL0903", f"{what} is not allowed here: {reason}", span, hints=hints)


def elsewhere(what: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "KQL0904",
        f"{what} is another place: a query reads the tables of the workspace that it is sent to, and of others that it "
        "names with workspace(), which the reader may read",
        span,
    )


def hidden(name: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0905", f"'{name}' is not among what 'restrict access' lets be read", span)


def ignored(what: str, span: Span) -> Diagnostic:
    return Diagnostic("KQL0902", f"{what} has no effect here", span, Severity.INFO)
