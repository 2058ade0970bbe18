"""What Kusto's commands declare, as resources: custom tables, saved functions, ingestion mappings.

They go through the one door, under the rights and with the audit of the resource API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aforo.control import audit
from aforo.control.access import require
from aforo.control.commit import Door
from aforo.errors import Conflict, Invalid, NotFound, Refusal
from aforo.logs.kusto_changes import Columns
from aforo.logs.reader import Caller, SavedFunction, Workspace
from aforo.model.kind import Resource
from aforo.model.kinds.log_table import BUILT_IN, columns_of
from aforo.model.kinds.saved_search import SAVED_SEARCH_TYPE
from aforo.rest import status_of

_TABLES = "Microsoft.OperationalInsights/workspaces/tables"
_SEARCHES = "Microsoft.OperationalInsights/workspaces/savedSearches"


class Declaring:
    """`logs.kusto_changes.Declarations` over the resource graph. `sink` takes AzureActivity rows."""

    def __init__(self, door: Door, sink: audit.Sink) -> None:
        self._door = door
        self._sink = sink

    async def table(
        self, caller: Caller, workspace: Workspace, name: str, columns: Columns, doc: str, verb: str
    ) -> Columns:
        path = _table_path(workspace, name)

        def do() -> None:
            old = self._door.graph.get(path)
            if name in BUILT_IN:
                raise Conflict(f"{name} is a built-in table.")
            if old is None and verb == "alter-merge":
                raise NotFound(f"There is no table {name!r} in {workspace.name}.")
            if old is not None and verb == "create":
                return
            declared = [] if old is None else [dict(c) for c in old.properties["schema"]["columns"]]
            have = {c["name"]: c["type"] for c in declared}
            declared += [{"name": n, "type": kind} for n, kind in columns if n not in have]
            for n, kind in columns:
                # The kind's own rule compares types with the stored ones; here they only come together.
                if n in have:
                    next(c for c in declared if c["name"] == n)["type"] = kind
            properties = {} if old is None else dict(old.properties)
            schema = {**properties.get("schema", {}), "name": name, "columns": declared}
            if doc:
                schema["description"] = doc
            self._door.put(path, {"properties": {**properties, "schema": schema}}, caller=_who(caller))

        await self._change(caller, f"{_TABLES}/write", path, do)
        resource = self._door.require(path)
        return [(n, kind) for n, kind, _ in columns_of(resource)]

    async def drop_table(self, caller: Caller, workspace: Workspace, name: str, *, must_exist: bool) -> None:
        path = _table_path(workspace, name)

        def do() -> None:
            if not self._door.delete(path, caller=_who(caller)) and must_exist:
                raise NotFound(f"There is no table {name!r} in {workspace.name}.")

        await self._change(caller, f"{_TABLES}/delete", path, do)

    async def function(
        self, caller: Caller, workspace: Workspace, function: SavedFunction, verb: str, *, if_new: bool
    ) -> None:
        old = self._function(workspace, function.name)
        path = old.id.text if old is not None else f"{workspace.resource_id}/savedSearches/{function.name}"

        def do() -> None:
            if old is not None and verb == "create":
                if if_new:
                    return
                raise Conflict(f"There is a function {function.name!r} already.")
            if old is None and verb == "alter":
                raise NotFound(f"There is no function {function.name!r} in {workspace.name}.")
            properties = {
                **({} if old is None else old.properties),
                "category": function.folder or "Functions",
                "displayName": function.doc or function.name,
                "query": function.body,
                "functionAlias": function.name,
                "functionParameters": function.parameters,
            }
            self._door.put(path, {"properties": properties}, caller=_who(caller))

        await self._change(caller, f"{_SEARCHES}/write", path, do)

    async def drop_function(
        self, caller: Caller, workspace: Workspace, name: str, *, must_exist: bool
    ) -> None:
        old = self._function(workspace, name)
        path = old.id.text if old is not None else f"{workspace.resource_id}/savedSearches/{name}"

        def do() -> None:
            if not self._door.delete(path, caller=_who(caller)) and must_exist:
                raise NotFound(f"There is no function {name!r} in {workspace.name}.")

        await self._change(caller, f"{_SEARCHES}/delete", path, do)

    async def mapping(
        self,
        caller: Caller,
        workspace: Workspace,
        table: str,
        name: str,
        mapping: Mapping[str, Any] | None,
        verb: str,
    ) -> None:
        path = _table_path(workspace, table)

        def do() -> None:
            old = self._door.graph.get(path)
            if old is None or table in BUILT_IN:
                raise NotFound(f"There is no custom table {table!r} in {workspace.name}.")
            mappings = dict(old.properties.get("ingestionMappings", {}))
            if name in mappings and verb == "create":
                raise Conflict(f"{table} has an ingestion mapping {name!r} already.")
            if name not in mappings and (mapping is None or verb == "alter"):
                raise NotFound(f"{table} has no ingestion mapping {name!r}.")
            mappings.pop(name, None)
            if mapping is not None:
                known = {n for n, _, _ in columns_of(old)}
                odd = [c["column"] for c in mapping["columns"] if c["column"] not in known]
                if odd:
                    raise Invalid(f"{table} has no column {odd[0]!r}.")
                mappings[name] = dict(mapping)
            properties = {**old.properties, "ingestionMappings": mappings}
            self._door.put(path, {"properties": properties}, caller=_who(caller))

        await self._change(caller, f"{_TABLES}/write", path, do)

    def _function(self, workspace: Workspace, name: str) -> Resource | None:
        found = self._door.graph.children(workspace.resource_id.lower(), SAVED_SEARCH_TYPE)
        return next((r for r in found if r.properties.get("functionAlias") == name), None)

    async def _change(self, caller: Caller, action: str, path: str, do: Callable[[], None]) -> None:
        status, error = 200, ""
        try:
            require(self._door.graph, caller.principal, action, path)
            await asyncio.to_thread(do)
        except Refusal as refusal:
            status, error = status_of(refusal), refusal.message
            raise
        finally:
            self._sink(
                audit.activity_row(
                    action=action,
                    resource_id=path,
                    principal=caller.principal,
                    caller_ip=caller.address,
                    method="POST",
                    url_path="/v1/rest/mgmt",
                    status=status,
                    client_request_id=caller.client_request_id or "",
                    error=error,
                )
            )


def _table_path(workspace: Workspace, name: str) -> str:
    return f"{workspace.resource_id}/tables/{name}"


def _who(caller: Caller) -> str:
    return caller.principal.name or caller.principal.client_id
