"""What an editor asks while a query is being written: completion and mistakes, over HTTP. Nothing is run.

`POST /aforo/v1/workspaces/{id}/kql/complete` with `{query, offset}` and `.../kql/diagnose` with `{query}`. Offsets are
counted in characters (code points). Tables are the declared ones that the caller may read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Invalid, Refusal
from aforo.kql.symbols import ColumnSymbol, Database, TableSymbol
from aforo.kql.types import KqlType
from aforo.logs.asking import read_body
from aforo.logs.external_files import outside
from aforo.logs.reader import Caller, Reader, Workspace
from aforo.rest import json_response, on_refusal
from aforo.source import Diagnostic, Source
from aforo.tables.catalog import TABLES
from aforo.tables.schema import Table

_LONGEST = 200_000
_QUOTED = re.compile(r"`([^`]+)`")


def routes(reader: Reader) -> list[BaseRoute]:
    """The routes of the editor's API, to be mounted at the root of the control plane."""
    api = _EditingApi(reader)
    at = "/aforo/v1/workspaces/{workspace}/kql"
    return [
        Route(f"{at}/complete", api.complete, methods=["POST"]),
        Route(f"{at}/diagnose", api.diagnose, methods=["POST"]),
    ]


class _EditingApi:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def complete(self, request: Request) -> Response:
        return await self._answered(request, _complete)

    async def diagnose(self, request: Request) -> Response:
        return await self._answered(request, _diagnose)

    async def _answered(
        self, request: Request, work: Callable[[dict[str, Any], Database, Mapping[str, Table], int], Any]
    ) -> Response:
        try:
            caller = await self._reader.caller(request)
            workspace = self._reader.workspace(request.path_params["workspace"])
            tables = self._tables(caller, workspace)
            body = _object(await read_body(request))
            others: dict[str, Database] = {}
            for other, called in self._reader.named_in(body["query"], caller.principal, (workspace,)):
                place = self._database(other, self._tables(caller, other), place=other.id)
                others |= {n.lower(): place for n in called}
            database = self._database(workspace, tables, others=others)
            # Compiling takes milliseconds; a long text more, and nobody else is to wait for it.
            return json_response(await asyncio.to_thread(work, body, database, tables, self._reader.now_us))
        except Refusal as refusal:
            return await on_refusal(request, refusal)

    def _database(self, workspace: Workspace, tables: Mapping[str, Table], **more: Any) -> Database:
        return Database(
            workspace.name,
            {name: _symbol(table) for name, table in tables.items()},
            {f.name: f.text for f in self._reader.contents(workspace).functions},
            (workspace.id, workspace.resource_id),
            outside=outside([(workspace.name, self._reader.contents(workspace).external)]),
            **more,
        )

    def _tables(self, caller: Caller, workspace: Workspace) -> dict[str, Table]:
        readable = self._reader.readable(caller.principal, workspace)
        known = {**TABLES, **self._reader.contents(workspace).tables}
        return {name: table for name, table in known.items() if name in readable}


def _complete(body: dict[str, Any], database: Database, tables: Mapping[str, Table], _now_us: int) -> Any:
    from aforo.kql.complete import complete  # the compiler's libraries load when somebody writes a query

    offset = body.get("offset", len(body["query"]))
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset <= len(body["query"]):
        raise Invalid("'offset' is a number of characters within 'query'.", target="offset")
    found = complete(body["query"], offset, database, values=_values(), docs=_docs(tables))
    signature = found.signature
    return {
        "start": found.span.start,
        "end": found.span.end,
        "suggestions": [
            {"label": s.label, "kind": s.kind, "text": s.text, "detail": s.detail, "doc": s.doc}
            for s in found.suggestions
        ],
        "signature": None
        if signature is None
        else {
            "name": signature.name,
            "parameters": list(signature.parameters),
            "result": signature.result,
            "doc": signature.doc,
            "active": signature.active,
        },
    }


def _diagnose(body: dict[str, Any], database: Database, _tables: Mapping[str, Table], now_us: int) -> Any:
    from aforo.kql.compile import compile_query
    from aforo.kql.ticks import TICKS_PER_US, UNIX_EPOCH

    source = Source("query", body["query"])
    result = compile_query(source, database, now=now_us * TICKS_PER_US + UNIX_EPOCH)
    compiled = result.compiled
    return {
        "diagnostics": [_told(source, d) for d in result.diagnostics],
        "columns": None
        if compiled is None
        else [{"name": c.name, "type": c.type.value} for c in compiled.columns],
        "render": None if compiled is None else compiled.render,
    }


def _told(source: Source, mistake: Diagnostic) -> dict[str, Any]:
    line, column = source.position(mistake.span.start)
    return {
        "code": mistake.code,
        "severity": mistake.severity.value,
        "message": mistake.message,
        "start": mistake.span.start,
        "end": mistake.span.end,
        "line": line,
        "column": column,
        "hints": list(mistake.hints),
    }


def _symbol(table: Table) -> TableSymbol:
    columns = (ColumnSymbol(c.name, KqlType(c.type.value)) for c in table.columns if not c.hidden)
    return TableSymbol(table.name, tuple(columns))


def _docs(tables: Mapping[str, Table]) -> dict[str, str]:
    out = {}
    for name, table in tables.items():
        out[name] = table.doc
        out |= {f"{name}.{c.name}": c.doc for c in table.columns if not c.hidden}
    return out


@lru_cache(maxsize=1)
def _values() -> dict[str, tuple[str, ...]]:
    """The values that columns can have, as their descriptions list them (`hit`, `miss` or `none`)."""
    out: dict[str, tuple[str, ...]] = {}
    for table in TABLES.values():
        for column in table.columns:
            listed = _QUOTED.findall(column.doc)
            if len(listed) > 1 and not column.hidden:
                out[column.name] = tuple(dict.fromkeys((*out.get(column.name, ()), *listed)))
    return out


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg}.", code="InvalidJsonBody") from error
    if not isinstance(value, dict) or not isinstance(value.get("query"), str):
        raise Invalid("The body is an object with a text 'query'.", code="InvalidJsonBody", target="query")
    if len(value["query"]) > _LONGEST:
        raise Invalid(f"A query of more than {_LONGEST:,} characters is not looked at.", target="query")
    return value
