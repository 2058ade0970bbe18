"""KQL in resources, judged when it is saved: transformations of data collection rules, saved functions.

What is wrong in a rule would otherwise show when rows come in, and in a function at each of its callers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aforo.control.log_tables import table_of
from aforo.model.kind import Path, Problem, Resource, View
from aforo.model.kinds.data_collection import RULE_TYPE, output_table
from aforo.model.kinds.log_table import COLUMN_TYPES
from aforo.model.kinds.saved_search import SAVED_SEARCH_TYPE, function_text
from aforo.source import Diagnostic, Source
from aforo.tables.schema import Table

# What a column of one type may go into, beside its own.
_WIDER = {"int": ("long", "real"), "long": ("real",)}


def problems(resource: Resource, view: View) -> Iterable[Problem]:
    """What is wrong with the KQL of a resource; nothing for kinds that have none."""
    if resource.kind.type == RULE_TYPE:
        yield from _of_rule(resource, view)
    elif resource.kind.type == SAVED_SEARCH_TYPE and resource.properties.get("functionAlias"):
        yield from _of_function(resource)


def stream_columns(declaration: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The columns of a declared stream: name, Kusto's type."""
    return tuple((c["name"], COLUMN_TYPES[c["type"]]) for c in declaration.get("columns", ()))


def _of_function(search: Resource) -> Iterable[Problem]:
    from aforo.kql.compile import parse  # the compiler's libraries load when they are needed

    text = function_text(search)
    before = f"let {search.properties['functionAlias']} = "
    source = Source("function", before + text + "; print 1")
    _, mistakes = parse(source.text)
    start = len(before) + text.index("{ ") + 2
    inner = Source("query", str(search.properties["query"]))
    for mistake in mistakes:
        if not mistake.is_error:
            continue
        if mistake.span.start < start:
            yield Problem(("properties", "functionParameters"), mistake.message, mistake.hints)
            continue
        line, column = inner.position(min(mistake.span.start - start, len(inner.text)))
        yield Problem(
            ("properties", "query"), f"line {line}, column {column}: {mistake.message}", mistake.hints
        )


def _of_rule(rule: Resource, view: View) -> Iterable[Problem]:
    declared = rule.properties.get("streamDeclarations", {})
    destinations = {
        d["name"]: str(d["workspaceResourceId"])
        for d in rule.properties.get("destinations", {}).get("logAnalytics", ())
    }
    for index, flow in enumerate(rule.properties.get("dataFlows", ())):
        place: Path = ("properties", "dataFlows", index)
        name = output_table(flow)
        tables = [
            table_of(found)
            for d in flow["destinations"]
            if d in destinations and (found := view.get(f"{destinations[d]}/tables/{name}")) is not None
        ]
        for stream in flow["streams"]:
            if stream in declared:
                columns = stream_columns(declared[stream])
                yield from _of_flow(str(flow.get("transformKql") or "source"), columns, tables, place)


def _of_flow(
    text: str, columns: tuple[tuple[str, str], ...], tables: Iterable[Table], place: Path
) -> Iterable[Problem]:
    from aforo.kql.compile import compile_query
    from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
    from aforo.kql.types import KqlType

    source = Source("transformKql", text)
    symbol = TableSymbol("source", tuple(ColumnSymbol(n, KqlType(t)) for n, t in columns))
    result = compile_query(source, Database("logs", {"source": symbol}), now=0)
    for mistake in result.diagnostics:
        if mistake.is_error:
            yield Problem((*place, "transformKql"), _placed(source, mistake), mistake.hints)
    if result.discovery is not None:
        yield Problem(
            (*place, "transformKql"),
            "the columns of its result have to be known before there are rows",
            ("name them: `| project a, b`",),
        )
    if result.compiled is None:
        return
    for table in tables:
        types = {c.name: c.type.value for c in table.columns}
        for column in result.compiled.columns:
            wanted = types.get(column.name)
            if wanted is None:
                what = f"the table {table.name} has no column {column.name!r}: its values would be lost"
                yield Problem(place, what, ("declare it in the table, or project it away in 'transformKql'",))
            elif wanted != column.type.value and wanted not in _WIDER.get(column.type.value, ()):
                what = f"the column {column.name!r} is {column.type.value} here and {wanted} in the table {table.name}"
                yield Problem(place, what, (f"convert it in 'transformKql' (`to{wanted}(...)`)",))


def _placed(source: Source, mistake: Diagnostic) -> str:
    line, column = source.position(mistake.span.start)
    return f"line {line}, column {column}: {mistake.message}"
