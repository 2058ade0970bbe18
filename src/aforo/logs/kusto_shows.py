"""What Kusto's `.show` commands answer: databases, tables, functions, schemas, and what there is of a cluster.

It knows shapes; who may see what is `reader`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson

from aforo.errors import Invalid
from aforo.kql.types import CLR_NAMES, KqlType
from aforo.logs.kusto_answers import Listing, database_schema, function_schema
from aforo.logs.kusto_commands import Command, names_of
from aforo.logs.question import Outcome
from aforo.logs.reader import Caller, Reader, Workspace

Rows = list[list[Any]]
# Asked of the whole system: whatever database the request names beside them, as editors do.
ANYWHERE = frozenset(
    {
        "databases",
        "databases_details",
        "all_schemas_json",
        "all_schemas_table",
        "version",
        "cluster",
        "principal_roles",
    }
)
_SCHEMA = (
    ("DatabaseName", "string"),
    ("TableName", "string"),
    ("ColumnName", "string"),
    ("ColumnType", "string"),
    ("IsDefaultTable", "bool"),
    ("IsDefaultColumn", "bool"),
    ("PrettyName", "string"),
    ("Version", "string"),
    ("Folder", "string"),
    ("DocString", "string"),
)
_ROLES = (
    ("Role", "string"),
    ("PrincipalType", "string"),
    ("PrincipalDisplayName", "string"),
    ("PrincipalObjectId", "string"),
    ("PrincipalFQN", "string"),
    ("Notes", "string"),
)


def _strings(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((n, "string") for n in names)


class Shows:
    """The listings. `workspaces()` lists all databases there are."""

    def __init__(self, reader: Reader, workspaces: Callable[[], Sequence[Workspace]]) -> None:
        self._reader = reader
        self._workspaces = workspaces

    def readable(self, caller: Caller) -> list[Workspace]:
        """The workspaces of which the caller may read something; the others are none of his business."""
        return [w for w in self._workspaces() if self._reader.may_read_some(caller.principal, w)]

    async def listing(self, caller: Caller, workspace: Workspace | None, command: Command) -> Listing:
        """The answer to a `.show`. `workspace` is None for those that are asked of the whole system."""
        if command.name in ANYWHERE:
            everywhere: Callable[[Caller], Coroutine[Any, Any, Listing]] = getattr(self, f"_{command.name}")
            return await everywhere(caller)
        assert workspace is not None
        show: Callable[..., Coroutine[Any, Any, Listing]] = getattr(self, f"_{command.name}")
        return await show(caller, workspace, command.found)

    # -- the system ----------------------------------------------------------------------------------

    async def _databases(self, caller: Caller) -> Listing:
        columns = (
            *_strings("DatabaseName", "PersistentStorage", "Version"),
            ("IsCurrent", "bool"),
            *_strings("DatabaseAccessMode", "PrettyName"),
            ("DatabaseId", "guid"),
        )
        known = self.readable(caller)
        return columns, [[w.name, "", "v1.0", False, "ReadWrite", w.name, w.id] for w in known]

    async def _databases_details(self, caller: Caller) -> Listing:
        return await self._databases(caller)

    async def _all_schemas_json(self, caller: Caller) -> Listing:
        schemas = {w.name: await self._schema(caller, w) for w in self.readable(caller)}
        return _strings("DatabaseSchema"), [[orjson.dumps({"Databases": schemas}).decode()]]

    async def _all_schemas_table(self, caller: Caller) -> Listing:
        rows: Rows = []
        for workspace in self.readable(caller):
            rows += await self._schema_rows(caller, workspace)
        return _SCHEMA, rows

    async def _version(self, _caller: Caller) -> Listing:
        columns = (("BuildVersion", "string"), ("ServiceType", "string"), ("ProductVersion", "string"))
        return columns, [["1.0.0", "Engine", "Aforo"]]

    async def _cluster(self, _caller: Caller) -> Listing:
        columns = (
            *_strings("NodeId", "Address", "Name"),
            ("StartTime", "datetime"),
            ("IsAdmin", "bool"),
            ("MachineTotalMemory", "long"),
            ("MachineAvailableMemory", "long"),
            ("ProcessorCount", "int"),
            *_strings("EnvironmentDescription"),
        )
        return columns, [["aforo", "", "aforo", None, True, None, None, None, "{}"]]

    async def _principal_roles(self, caller: Caller) -> Listing:
        columns = (*_strings("Scope", "DisplayName", "AADObjectID"), ("Role", "string"))
        who = caller.principal
        return columns, [
            [f"Database {w.name}", who.name, who.object_id, "Database Viewer"] for w in self.readable(caller)
        ]

    # -- a database ----------------------------------------------------------------------------------

    async def _database(self, _caller: Caller, workspace: Workspace, _found: dict[str, str]) -> Listing:
        columns = (
            *_strings("DatabaseName", "PersistentStorage", "Version"),
            ("IsCurrent", "bool"),
            *_strings("DatabaseAccessMode", "PrettyName"),
            ("DatabaseId", "guid"),
        )
        return columns, [[workspace.name, "", "v1.0", True, "ReadWrite", workspace.name, workspace.id]]

    async def _schema_json(self, caller: Caller, workspace: Workspace, _found: dict[str, str]) -> Listing:
        text = orjson.dumps({"Databases": {workspace.name: await self._schema(caller, workspace)}}).decode()
        return _strings("DatabaseSchema"), [[text]]

    async def _schema_table(self, caller: Caller, workspace: Workspace, _found: dict[str, str]) -> Listing:
        return _SCHEMA, await self._schema_rows(caller, workspace)

    async def _schema_script(self, caller: Caller, workspace: Workspace, _found: dict[str, str]) -> Listing:
        tables = _by_table(await self._described(caller, workspace))
        rows: Rows = [[f".create-merge table {_quoted(t)} ({_columns(rows)})"] for t, rows in tables.items()]
        rows += [
            [f".create-or-alter function {f.name}({f.parameters}) {{ {f.body} }}"]
            for f in self._reader.contents(workspace).functions
        ]
        return _strings("DatabaseSchemaScript"), rows

    async def _principals(self, caller: Caller, _workspace: Workspace, _found: dict[str, str]) -> Listing:
        # Rights are role assignments of the resource API; here everybody sees himself.
        who = caller.principal
        return _ROLES, [["Viewer", "AAD", who.name, who.object_id, f"aadapp={who.client_id}", ""]]

    async def _tables(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        wanted = names_of(found.get("names"))
        docs = {row[0]: row[1] for row in await self._described(caller, workspace)}
        rows = [[t, workspace.name, "", doc] for t, doc in docs.items() if not wanted or t in wanted]
        return _strings("TableName", "DatabaseName", "Folder", "DocString"), rows

    async def _tables_details(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        columns = (
            *_strings("TableName", "DatabaseName", "Folder", "DocString"),
            ("TotalExtents", "long"),
            ("HasData", "bool"),
        )
        wanted = found.get("table")
        tables = _by_table(await self._described(caller, workspace))
        rows = [
            [t, workspace.name, "", rows[0][1], None, rows[0][2]]
            for t, rows in tables.items()
            if wanted in (None, t)
        ]
        if wanted and not rows:
            raise _no_table(wanted, workspace)
        return columns, rows

    async def _table_script(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        rows = await self._table(caller, workspace, found["table"])
        columns = _strings("TableName", "Schema", "DatabaseName", "Folder", "DocString")
        return columns, [[found["table"], _columns(rows), workspace.name, "", rows[0][1]]]

    async def _table_json(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        rows = await self._table(caller, workspace, found["table"])
        columns = _strings("TableName", "Schema", "DatabaseName", "Folder", "DocString")
        schema = database_schema(workspace.name, rows)["Tables"][found["table"]]
        return columns, [[found["table"], orjson.dumps(schema).decode(), workspace.name, "", rows[0][1]]]

    async def _table_columns(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        columns = (
            *_strings("AttributeName", "AttributeType"),
            ("ExtentSize", "long"),
            *_strings("DocString"),
        )
        rows = await self._table(caller, workspace, found["table"])
        return columns, [[row[3], CLR_NAMES[KqlType(row[4])], None, row[5]] for row in rows]

    async def _mappings(self, caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        await self._table(caller, workspace, found["table"])
        columns = _strings("Name", "Kind", "Mapping", "LastUpdatedOn", "Database", "Table")
        mappings = self._reader.contents(workspace).mappings.get(found["table"], {})
        return columns, [
            [name, kind.capitalize(), orjson.dumps(listed).decode(), "", workspace.name, found["table"]]
            for name, (kind, listed) in mappings.items()
        ]

    async def _functions(self, _caller: Caller, workspace: Workspace, found: dict[str, str]) -> Listing:
        wanted = found.get("function")
        columns = _strings("Name", "Parameters", "Body", "Folder", "DocString")
        functions = self._reader.contents(workspace).functions
        rows = [
            [f.name, f"({f.parameters})", function_schema(f)["Body"], f.folder, f.doc]
            for f in functions
            if wanted in (None, f.name)
        ]
        if wanted and not rows:
            raise Invalid(f"There is no function {wanted!r} in {workspace.name}.", code="EntityNotFound")
        return columns, rows

    async def _external_tables(self, _caller: Caller, _w: Workspace, _found: dict[str, str]) -> Listing:
        return _strings("TableName", "TableType", "Folder", "DocString", "Properties"), []

    async def _materialized_views(self, _caller: Caller, _w: Workspace, _found: dict[str, str]) -> Listing:
        return _strings("Name", "SourceTable", "Query", "Folder", "DocString"), []

    async def _entity_groups(self, _caller: Caller, _w: Workspace, _found: dict[str, str]) -> Listing:
        return _strings("Name", "Entities"), []

    # -- beneath ---------------------------------------------------------------------------------------

    async def _schema(self, caller: Caller, workspace: Workspace) -> dict[str, Any]:
        rows = await self._described(caller, workspace)
        return database_schema(workspace.name, rows, self._reader.contents(workspace).functions)

    async def _schema_rows(self, caller: Caller, workspace: Workspace) -> Rows:
        rows: Rows = [[workspace.name, None, None, None, False, False, workspace.name, "v1.0", None, None]]
        for table, listed in _by_table(await self._described(caller, workspace)).items():
            rows.append([workspace.name, table, None, None, False, False, None, None, None, listed[0][1]])
            for _, _, _, column, kind, doc in listed:
                clr = CLR_NAMES[KqlType(kind)]
                rows.append([workspace.name, table, column, clr, False, False, None, None, None, doc])
        return rows

    async def _table(self, caller: Caller, workspace: Workspace, name: str) -> Rows:
        rows = [row for row in await self._described(caller, workspace) if row[0] == name]
        if not rows:
            raise _no_table(name, workspace)
        return rows

    async def _described(self, caller: Caller, workspace: Workspace) -> Rows:
        answer = await self._reader.describe(caller, self._reader.scope(workspace))
        if answer.outcome is not Outcome.OK:
            raise Invalid(answer.message, code="SchemaNotRead")
        rows: Rows = orjson.loads(b"[" + answer.rows + b"]")
        return rows


def _by_table(rows: Rows) -> dict[str, Rows]:
    out: dict[str, Rows] = {}
    for row in rows:
        out.setdefault(row[0], []).append(row)
    return out


def _columns(rows: Rows) -> str:
    return ",".join(f"{_quoted(row[3])}:{row[4]}" for row in rows)


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"['{name}']"


def _no_table(name: str, workspace: Workspace) -> Invalid:
    return Invalid(f"There is no table {name!r} in {workspace.name}.", code="EntityNotFound")
