"""Kusto's commands that change a database: tables, functions, ingestion mappings. They become resources.

It knows the commands and their answers; whoever keeps resources is a port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from aforo.kql.types import CLR_NAMES, KqlType
from aforo.logs.kusto_answers import Listing
from aforo.logs.kusto_commands import Command, columns_of, mapping_of, options_of
from aforo.logs.reader import Caller, SavedFunction, Workspace

Columns = Sequence[tuple[str, str]]


class Declarations(Protocol):
    """Keeps what a workspace declares. Each may refuse: who may not (`Denied`), what cannot be (`Invalid`)."""

    async def table(
        self, caller: Caller, workspace: Workspace, name: str, columns: Columns, doc: str, verb: str
    ) -> Columns:
        """Declare a table: `create` (nothing changes when it is there), `create-merge`, `alter-merge`. Its columns."""

    async def drop_table(
        self, caller: Caller, workspace: Workspace, name: str, *, must_exist: bool
    ) -> None: ...

    async def function(
        self, caller: Caller, workspace: Workspace, function: SavedFunction, verb: str, *, if_new: bool
    ) -> None:
        """Save a function: `create` (Conflict when it is there, unless `if_new`), `create-or-alter`, `alter`."""

    async def drop_function(
        self, caller: Caller, workspace: Workspace, name: str, *, must_exist: bool
    ) -> None: ...

    async def mapping(
        self,
        caller: Caller,
        workspace: Workspace,
        table: str,
        name: str,
        mapping: Mapping[str, Any] | None,
        verb: str,
    ) -> None:
        """Keep an ingestion mapping (`kind`, `columns`); None takes it away."""


async def change(
    declarations: Declarations, caller: Caller, workspace: Workspace, command: Command
) -> Listing:
    """Do what a command says; its answer."""
    found = command.found
    options = options_of(found.get("with"))
    match command.name:
        case "table":
            wanted = columns_of(found["columns"])
            columns = await declarations.table(
                caller, workspace, found["table"], wanted, options.get("docstring", ""), found["verb"].lower()
            )
            return _table(workspace, found["table"], columns, options)
        case "drop_table":
            await declarations.drop_table(
                caller, workspace, found["table"], must_exist="ifexists" not in found
            )
            return (("TableName", "string"), ("DatabaseName", "string")), [[found["table"], workspace.name]]
        case "function":
            function = SavedFunction(
                found["function"],
                found["parameters"].strip(),
                found["body"].strip(),
                options.get("docstring", ""),
                options.get("folder", ""),
            )
            await declarations.function(
                caller, workspace, function, found["verb"].lower(), if_new="ifnotexists" in found
            )
            row = [
                function.name,
                f"({function.parameters})",
                f"{{ {function.body} }}",
                function.folder,
                function.doc,
            ]
            return tuple((n, "string") for n in ("Name", "Parameters", "Body", "Folder", "DocString")), [row]
        case "drop_function":
            await declarations.drop_function(
                caller, workspace, found["function"], must_exist="ifexists" not in found
            )
            return (("Name", "string"),), [[found["function"]]]
        case _:
            return await _mapping(declarations, caller, workspace, command)


async def _mapping(
    declarations: Declarations, caller: Caller, workspace: Workspace, command: Command
) -> Listing:
    found = command.found
    kind = found["kind"].lower()
    columns = mapping_of(found["content"], kind) if command.name == "mapping" else None
    content = None if columns is None else {"kind": kind, "columns": columns}
    await declarations.mapping(
        caller, workspace, found["table"], found["mapping"], content, found.get("verb", "").lower()
    )
    names = ("Name", "Kind", "Mapping", "Database", "Table")
    text = orjson.dumps(columns or []).decode()
    return tuple((n, "string") for n in names), [
        [found["mapping"], kind.capitalize(), text, workspace.name, found["table"]]
    ]


def _table(workspace: Workspace, name: str, columns: Columns, options: Mapping[str, str]) -> Listing:
    schema = {
        "Name": name,
        "OrderedColumns": [{"Name": n, "Type": CLR_NAMES[KqlType(t)], "CslType": t} for n, t in columns],
    }
    row = [
        name,
        orjson.dumps(schema).decode(),
        workspace.name,
        options.get("folder", ""),
        options.get("docstring", ""),
    ]
    return tuple((n, "string") for n in ("TableName", "Schema", "DatabaseName", "Folder", "DocString")), [row]
