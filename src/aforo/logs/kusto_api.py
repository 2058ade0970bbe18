"""Kusto's REST API over the same tables: queries (v1, v2) and the `.show` commands that editors and Grafana send.

A database is a workspace, named by its name or id. It knows shapes; who may ask what is `reader`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Invalid, Refusal
from aforo.kql.types import CLR_NAMES, KqlType
from aforo.logs import kusto_answers
from aforo.logs.api import unless_gone
from aforo.logs.asking import DEFAULT_WAIT_S, LONGEST_WAIT_S, read_body
from aforo.logs.kusto_answers import Listing
from aforo.logs.question import Outcome, QueryAnswer
from aforo.logs.reader import (
    Authenticate,
    Caller,
    MayRead,
    Pool,
    Reader,
    ResolveWorkspace,
    Sink,
    Workspace,
)

# The public client id of Kusto's own tools; clients want one here and use it for interactive sign-in only.
_CLIENT_APP = "db662dc1-0cfe-4e1c-a843-19a68e65be58"
_TIMEOUT = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?$")
_NAME = r"(?:\[\s*['\"](?P<{0}q>[^'\"]+)['\"]\s*\]|(?P<{0}>[\w.-]+))"
_COMMANDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(r"\.show\s+" + pattern + r"\s*(?:\|.*)?$", re.IGNORECASE | re.DOTALL), method)
    for pattern, method in (
        (r"databases\s+(?:\(\s*" + _NAME.format("db") + r"\s*\)\s+)?schema\s+as\s+json", "schema_json"),
        (r"databases\s+schema", "schema_table"),
        (r"databases(?:\s+(?:details|identity))?", "databases"),
        (r"(?:database\s+(?:" + _NAME.format("db") + r"\s+)?)?schema\s+as\s+json", "schema_json"),
        (r"(?:database\s+(?:" + _NAME.format("db") + r"\s+)?)?schema", "schema_table"),
        (r"tables(?:\s+details)?", "tables"),
        (r"table\s+" + _NAME.format("table") + r"\s+(?:schema\s+as\s+json|cslschema)", "table_schema"),
        (r"functions", "functions"),
        (r"version", "version"),
    )
)
# Asked of the whole system: whatever database the request names beside them, as editors do.
_ANYWHERE = ("databases", "version")
_KNOWN = (
    ".show databases, .show databases schema [as json], .show database schema [as json], .show tables, "
    ".show table T cslschema, .show functions, .show version"
)


def routes(
    pool: Pool,
    authenticate: Authenticate,
    may_read: MayRead,
    resolve_workspace: ResolveWorkspace,
    sink: Sink,
    *,
    workspaces: Callable[[], Sequence[Workspace]],
    login_endpoint: str,
    **more: Any,
) -> list[BaseRoute]:
    """The routes of Kusto's API, to be mounted at the root of the control plane.

    The first arguments and `more` are those of `reader.Reader`. `workspaces()` lists all of them;
    `login_endpoint` is the https URL of the issuer that clients shall use.
    """
    api = _KustoApi(
        Reader(pool, authenticate, may_read, resolve_workspace, sink, **more), workspaces, login_endpoint
    )
    return [
        Route("/v1/rest/auth/metadata", api.auth_metadata, methods=["GET"]),
        Route("/v2/rest/query", api.query_v2, methods=["POST"]),
        Route("/v1/rest/query", api.query_v1, methods=["POST"]),
        Route("/v1/rest/mgmt", api.manage, methods=["POST"]),
    ]


class _KustoApi:
    def __init__(
        self, reader: Reader, workspaces: Callable[[], Sequence[Workspace]], login_endpoint: str
    ) -> None:
        self._reader = reader
        self._workspaces = workspaces
        self._login_endpoint = login_endpoint

    async def auth_metadata(self, request: Request) -> Response:
        body = {
            "AzureAD": {
                "LoginEndpoint": self._login_endpoint,
                "LoginMfaRequired": False,
                "KustoClientAppId": _CLIENT_APP,
                "KustoClientRedirectUri": "http://localhost/",
                "KustoServiceResourceId": str(request.base_url).rstrip("/"),
                "FirstPartyAuthorityUrl": self._login_endpoint,
            }
        }
        return Response(orjson.dumps(body), media_type="application/json")

    async def query_v2(self, request: Request) -> Response:
        return await self._guarded(request, lambda c, b: self._query(c, b, version=2))

    async def query_v1(self, request: Request) -> Response:
        return await self._guarded(request, lambda c, b: self._query(c, b, version=1))

    async def manage(self, request: Request) -> Response:
        return await self._guarded(request, self._manage)

    async def _query(self, caller: Caller, body: dict[str, Any], version: int) -> Response:
        if str(body["csl"]).lstrip().startswith("."):
            # Grafana's health check sends its command to the query endpoint.
            return await self._manage(caller, body)
        workspace = self._database(caller, body)
        options, parameters = _properties(body)
        scope = self._reader.scope(workspace)
        asked = self._reader.request(
            caller, scope, body["csl"], timespan=None, timeout_s=_timeout_s(options), parameters=parameters
        )
        answer = await self._reader.ask(caller, scope, asked)
        if answer.outcome is not Outcome.OK:
            return _json(*kusto_answers.failure(answer, _ids(caller)))
        if version == 1:
            return _json(200, kusto_answers.v1(answer))
        return _json(200, kusto_answers.v2(answer, caller.client_request_id or ""))

    async def _manage(self, caller: Caller, body: dict[str, Any]) -> Response:
        text = body["csl"].strip()
        for pattern, method in _COMMANDS:
            if (match := pattern.match(text)) is not None:
                found = match.groupdict()
                name = found.get("db") or found.get("dbq")
                workspace: Workspace | None = None
                if method not in _ANYWHERE:
                    workspace = self._reader.workspace(name) if name else self._database(caller, body)
                listing: Listing = await getattr(self, f"_show_{method}")(caller, workspace, found)
                return _json(200, kusto_answers.listing(listing))
        shown = text.splitlines()[0][:80] if text else ""
        raise Invalid(
            f"The command {shown!r} is not supported; supported are {_KNOWN}.", code="UnknownCommand"
        )

    async def _show_databases(
        self, caller: Caller, _workspace: Workspace | None, _found: dict[str, Any]
    ) -> Listing:
        columns = (
            ("DatabaseName", "string"),
            ("PersistentStorage", "string"),
            ("Version", "string"),
            ("IsCurrent", "bool"),
            ("DatabaseAccessMode", "string"),
            ("PrettyName", "string"),
            ("DatabaseId", "guid"),
        )
        known = self._readable(caller)
        return columns, [[w.name, "", "v1.0", False, "ReadOnly", w.name, w.id] for w in known]

    async def _show_schema_json(
        self, caller: Caller, workspace: Workspace, _found: dict[str, Any]
    ) -> Listing:
        schema = kusto_answers.database_schema(workspace.name, await self._described(caller, workspace))
        text = orjson.dumps({"Databases": {workspace.name: schema}}).decode()
        return (("DatabaseSchema", "string"),), [[text]]

    async def _show_schema_table(
        self, caller: Caller, workspace: Workspace, _found: dict[str, Any]
    ) -> Listing:
        columns = (
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
        rows: list[list[Any]] = [
            [workspace.name, None, None, None, False, False, workspace.name, "v1.0", None, None]
        ]
        seen: set[str] = set()
        for table, doc, _, column, kind, column_doc in await self._described(caller, workspace):
            if table not in seen:
                seen.add(table)
                rows.append([workspace.name, table, None, None, False, False, None, None, None, doc])
            clr = CLR_NAMES[KqlType(kind)]
            rows.append([workspace.name, table, column, clr, False, False, None, None, None, column_doc])
        return columns, rows

    async def _show_tables(self, caller: Caller, workspace: Workspace, _found: dict[str, Any]) -> Listing:
        docs = {row[0]: row[1] for row in await self._described(caller, workspace)}
        columns = (
            ("TableName", "string"),
            ("DatabaseName", "string"),
            ("Folder", "string"),
            ("DocString", "string"),
        )
        return columns, [[table, workspace.name, "", doc] for table, doc in docs.items()]

    async def _show_table_schema(
        self, caller: Caller, workspace: Workspace, found: dict[str, Any]
    ) -> Listing:
        wanted = found.get("table") or found.get("tableq")
        rows = [row for row in await self._described(caller, workspace) if row[0] == wanted]
        if not rows:
            raise Invalid(f"There is no table {wanted!r} in {workspace.name}.", code="EntityNotFound")
        text = ",".join(f"{row[3]}:{row[4]}" for row in rows)
        columns = (
            ("TableName", "string"),
            ("Schema", "string"),
            ("DatabaseName", "string"),
            ("Folder", "string"),
            ("DocString", "string"),
        )
        return columns, [[wanted, text, workspace.name, "", rows[0][1]]]

    async def _show_functions(
        self, _caller: Caller, _workspace: Workspace, _found: dict[str, Any]
    ) -> Listing:
        return tuple((n, "string") for n in ("Name", "Parameters", "Body", "Folder", "DocString")), []

    async def _show_version(
        self, _caller: Caller, _workspace: Workspace | None, _found: dict[str, Any]
    ) -> Listing:
        columns = (("BuildVersion", "string"), ("ServiceType", "string"), ("ProductVersion", "string"))
        return columns, [["1.0.0", "Engine", "Aforo"]]

    async def _described(self, caller: Caller, workspace: Workspace) -> list[list[Any]]:
        answer: QueryAnswer = await self._reader.describe(caller, self._reader.scope(workspace))
        if answer.outcome is not Outcome.OK:
            raise Invalid(answer.message, code="SchemaNotRead")
        rows: list[list[Any]] = orjson.loads(b"[" + answer.rows + b"]")
        return rows

    def _readable(self, caller: Caller) -> list[Workspace]:
        """The workspaces of which the caller may read something; the others are none of his business."""
        return [w for w in self._workspaces() if self._reader.may_read_some(caller.principal, w)]

    def _database(self, caller: Caller, body: dict[str, Any]) -> Workspace:
        name = str(body.get("db") or "")
        if name:
            return self._reader.workspace(name)
        known = self._readable(caller)
        # Without a name the only database there is.
        if len(known) == 1:
            return known[0]
        names = ", ".join(w.name for w in known) or "none"
        raise Invalid(f"The request names no database ('db'); there are: {names}.", code="MissingDatabase")

    async def _guarded(
        self, request: Request, work: Callable[[Caller, dict[str, Any]], Coroutine[Any, Any, Response]]
    ) -> Response:
        client_id = request.headers.get("x-ms-client-request-id", "")
        ids = {"client": client_id}
        try:
            caller = await self._reader.caller(request)
            ids = _ids(caller)
            body = _json_object(await read_body(request))
            response = await unless_gone(request, work(caller, body))
        except Refusal as refusal:
            response = _json(*kusto_answers.refused(refusal, ids))
            if refusal.retry_after_s is not None:
                response.headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
            if response.status_code == 401:
                response.headers["WWW-Authenticate"] = 'Bearer realm="aforo"'
        response.headers["x-ms-client-request-id"] = client_id
        response.headers["x-ms-activity-id"] = ids.get("activity", "")
        return response


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error.msg}.", code="InvalidJsonBody") from error
    if not isinstance(value, dict) or not isinstance(value.get("csl"), str) or not value["csl"].strip():
        raise Invalid("The body is an object with a text 'csl'.", code="InvalidJsonBody")
    return value


def _properties(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(options, parameters). Python's client sends a JSON string with capitals, Grafana an object without."""
    given = body.get("properties") or {}
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise Invalid(
                f"'properties' is a string but not JSON: {error.msg}.", code="InvalidProperties"
            ) from error
    if not isinstance(given, dict):
        raise Invalid("'properties' is an object, or JSON text of one.", code="InvalidProperties")
    by_name = {str(k).lower(): v for k, v in given.items()}
    options, parameters = by_name.get("options") or {}, by_name.get("parameters") or {}
    if not isinstance(options, dict) or not isinstance(parameters, dict):
        raise Invalid("'Options' and 'Parameters' are objects.", code="InvalidProperties")
    texts = {str(k): v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in parameters.items()}
    return {str(k).lower(): v for k, v in options.items()}, texts


def _timeout_s(options: dict[str, Any]) -> float:
    text = options.get("servertimeout")
    if text is None or options.get("norequesttimeout") is True:
        return LONGEST_WAIT_S if text is None and options.get("norequesttimeout") else DEFAULT_WAIT_S
    match = _TIMEOUT.match(str(text).strip())
    if match is None:
        raise Invalid(
            f"The option servertimeout {text!r} is not a timespan (hh:mm:ss).", code="InvalidProperties"
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return min(float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or 1.0, LONGEST_WAIT_S)


def _ids(caller: Caller) -> dict[str, str]:
    return {"client": caller.client_request_id or "", "activity": caller.correlation_id}


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
