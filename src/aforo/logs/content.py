"""Queries of those who may not read what people wrote and models answered: the columns that hold it are not there.

What the gateway took out of bodies beforehand (tokens, model, finish reason) is no content: a query that asks for
nothing else runs. One that only passes the columns on (`T | take 10`) gives the others; one that names them, or
whose rows need their text, is refused with the name of the column and of the right. It knows no principal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aforo.kql.compile import CompileResult
from aforo.logs.question import QueryRequest
from aforo.logs.sandbox import name
from aforo.source import Diagnostic, Severity, Source, Span

CODE = "LOG0001"

Compile = Callable[[Mapping[str, Sequence[str]]], CompileResult]


def without_content(
    source: Source, request: QueryRequest, result: CompileResult, compile_without: Compile
) -> CompileResult:
    """`result`, when it reads no withheld column; else the query compiled without them, or the refusal."""
    compiled = result.compiled or (result.discovery.compiled if result.discovery is not None else None)
    if compiled is None:
        return result
    touched = {
        table: columns
        for table in compiled.tables
        if (columns := tuple(c for c in request.withheld.get(table, ()) if name(c) in compiled.sql))
    }
    if not touched:
        return result
    bare = compile_without(request.withheld)
    if bare.compiled is not None or bare.discovery is not None:
        return bare
    return CompileResult(None, tuple(_refusals(source, request, touched, bare.diagnostics)))


def _refusals(
    source: Source,
    request: QueryRequest,
    touched: Mapping[str, Sequence[str]],
    diagnostics: Sequence[Diagnostic],
) -> list[Diagnostic]:
    """The mistakes of the query without the columns, those that are about them in plain words."""
    holders = {column: table for table, columns in touched.items() for column in columns}
    out, told = [], False
    for mistake in diagnostics:
        column = source.text[mistake.span.start : mistake.span.end].strip("[]'\"")
        if mistake.is_error and column in holders:
            out.append(_refusal(f"the column {column} of {holders[column]}", mistake.span, request))
            told = True
        elif not mistake.is_error:
            out.append(mistake)
    if not told:
        names = ", ".join(f"{table}.{column}" for column, table in holders.items())
        out.append(_refusal(names, Span(0, len(source.text)), request))
    return out


def _refusal(what: str, span: Span, request: QueryRequest) -> Diagnostic:
    return Diagnostic(
        CODE,
        f"{what} holds what people wrote or models answered: to read it needs the action {request.withheld_action}",
        span,
        Severity.ERROR,
        ("the role 'Log Content Reader' at the workspace has it",),
    )
