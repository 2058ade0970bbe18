"""What a workspace declares for queries: custom tables and saved functions, out of the resource graph."""

from __future__ import annotations

from collections.abc import Iterator

from aforo.model.graph import Graph
from aforo.model.kind import Resource
from aforo.model.kinds.log_table import BUILT_IN, LOG_TABLE_TYPE, columns_of
from aforo.model.kinds.saved_search import SAVED_SEARCH_TYPE, function_text
from aforo.tables.custom import custom_table
from aforo.tables.schema import Table


def custom_tables(graph: Graph, workspace_key: str) -> dict[str, Table]:
    """The custom tables of a workspace by name."""
    return {
        r.name: table_of(r) for r in graph.children(workspace_key, LOG_TABLE_TYPE) if r.name not in BUILT_IN
    }


def table_of(resource: Resource) -> Table:
    """What a custom table looks like to writers and to queries."""
    schema = resource.properties.get("schema") or {}
    return custom_table(resource.name, columns_of(resource), str(schema.get("description") or ""))


def saved_functions(graph: Graph, workspace_key: str) -> Iterator[tuple[str, str, Resource]]:
    """(name, KQL text, resource) of the functions of a workspace."""
    for search in graph.children(workspace_key, SAVED_SEARCH_TYPE):
        alias = search.properties.get("functionAlias")
        if alias:
            yield str(alias), function_text(search), search
