"""Kusto's REST API over the same tables: queries (v1, v2), management commands, streaming ingestion.

A database is a workspace, named by its name or id. It knows requests; commands are `kusto_commands`, their answers
`kusto_shows` and `kusto_changes`; who may ask what is `reader`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Denied, Invalid, Refusal
from aforo.logs import kusto_answers, kusto_frames
from aforo.logs.api import unless_gone
from aforo.logs.asking import read_body
from aforo.logs.formats import LARGEST_BYTES, unpacked
from aforo.logs.ingest import identity_of
from aforo.logs.kusto_answers import Listing
from aforo.logs.kusto_changes import change
from aforo.logs.kusto_commands import command_of
from aforo.logs.kusto_ingest import Taking, rows_of
from aforo.logs.kusto_options import options_of
from aforo.logs.kusto_shows import ANYWHERE, Shows
from aforo.logs.question import Outcome, QueryAnswer, SourceRows
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
from aforo.rest import read_body as read_bytes

# The public client id of Kusto's own tools; clients want one here and use it for interactive sign-in only.
_CLIENT_APP = "db662dc1-0cfe-4e1c-a843-19a68e65be58"


def routes(
    pool: Pool,
    authenticate: Authenticate,
    may_read: MayRead,
    resolve_workspace: ResolveWorkspace,
    sink: Sink,
    *,
    workspaces: Callable[[], Sequence[Workspace]],
    login_endpoint: str,
    taking: Taking | None = None,
    **more: Any,
) -> list[BaseRoute]:
    """The routes of Kusto's API, to be mounted at the root of the control plane.

    The first arguments and `more` are those of `reader.Reader`. `workspaces()` lists all of them;
    `login_endpoint` is the https URL of the issuer that clients shall use. Without `taking` nothing can be changed
    and no row comes in.
    """
    api = _KustoApi(
        Reader(pool, authenticate, may_read, resolve_workspace, sink, **more),
        workspaces,
        login_endpoint,
        taking,
    )
    return [
        Route("/v1/rest/auth/metadata", api.auth_metadata, methods=["GET"]),
        Route("/v2/rest/query", api.query_v2, methods=["POST"]),
        Route("/v1/rest/query", api.query_v1, methods=["POST"]),
        Route("/v1/rest/mgmt", api.manage, methods=["POST"]),
        Route("/v1/rest/ingest/{database}/{table}", api.ingest, methods=["POST"]),
    ]


class _KustoApi:
    def __init__(
        self,
        reader: Reader,
        workspaces: Callable[[], Sequence[Workspace]],
        login_endpoint: str,
        taking: Taking | None,
    ) -> None:
        self._reader = reader
        self._shows = Shows(reader, workspaces)
        self._login_endpoint = login_endpoint
        self._taking = taking

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

    async def ingest(self, request: Request) -> Response:
        """Streaming ingestion. A client that leaves changes nothing: what it sent is stored to its end."""

        async def work(caller: Caller) -> Response:
            taken = await self._ingest(request, caller)
            columns = (("ConsumedRecordsCount", "long"),)
            return _json(200, kusto_answers.listing((columns, [[taken]])))

        return await self._answered(request, work)

    async def _query(self, caller: Caller, body: dict[str, Any], version: int) -> Response:
        if str(body["csl"]).lstrip().startswith("."):
            # Grafana's health check sends its command to the query endpoint.
            return await self._manage(caller, body)
        workspace = self._database(caller, body)
        options = options_of(body)
        scope = self._reader.scope(workspace)
        limit = options.row_limit if options.take is None else min(options.take, options.row_limit)
        more: dict[str, Any] = {} if options.now_us is None else {"now_us": options.now_us}
        asked = self._reader.request(
            caller,
            scope,
            body["csl"],
            timespan=options.timespan,
            timeout_s=options.timeout_s,
            parameters=options.parameters,
            row_limit=limit,
            byte_limit=options.byte_limit,
            **more,
        )
        answer = await self._reader.ask(caller, scope, asked)
        if answer.outcome is not Outcome.OK:
            return _json(*kusto_answers.failure(answer, _ids(caller)))
        if answer.cut == "rows" and limit == options.take:
            answer = msgspec.structs.replace(answer, cut="")
        request_id = caller.client_request_id or ""
        if version == 1:
            return _json(200, kusto_answers.v1(answer, request_id))
        return _json(200, kusto_frames.v2(answer, request_id, options))

    async def _manage(self, caller: Caller, body: dict[str, Any]) -> Response:
        command = command_of(body["csl"])
        workspace: Workspace | None = None
        if command.name not in ANYWHERE:
            name = command.found.get("db")
            workspace = self._reader.workspace(name) if name else self._database(caller, body)
        if command.show:
            listing = await self._shows.listing(caller, workspace, command)
            if command.rest:
                return await self._piped(listing, command.rest)
            return _json(200, kusto_answers.listing(listing))
        if self._taking is None or workspace is None:
            raise Denied("This system takes no changes over Kusto's API.")
        return _json(
            200, kusto_answers.listing(await change(self._taking.declarations, caller, workspace, command))
        )

    async def _piped(self, listing: Listing, rest: str) -> Response:
        """The rows of a command through the query behind it."""
        columns, _ = listing
        cells = kusto_answers.with_rows(listing, [kind for _, kind in columns])
        rows = SourceRows(tuple((n, kind) for n, kind in columns), orjson.dumps(cells))
        answer: QueryAnswer = await self._reader.over_rows(f"source {rest}", rows)
        if answer.outcome is not Outcome.OK:
            return _json(*kusto_answers.failure(answer, {}))
        return _json(200, kusto_answers.piped(answer))

    async def _ingest(self, request: Request, caller: Caller) -> int:
        if self._taking is None:
            raise Denied("This system takes no rows over Kusto's API.")
        workspace = self._reader.workspace(request.path_params["database"])
        target = self._taking.target(workspace, request.path_params["table"])
        if not self._taking.may_write(caller.principal, target.resource_id):
            who = caller.principal.name or caller.principal.object_id
            raise Denied(
                f"{who} may not send rows to {target.table}: the role 'Monitoring Metrics Publisher' at the table or "
                "its workspace is needed."
            )
        query = {k.lower(): v for k, v in request.query_params.items()}
        if query.get("sourcekind"):
            raise Invalid("Rows are sent in the body; ingestion from a blob is not supported.")
        sent = await read_bytes(request, LARGEST_BYTES)
        if sent is None:
            raise Invalid(f"The body is larger than {LARGEST_BYTES:,} bytes.")
        body = unpacked(sent, request.headers.get("content-encoding", ""))
        rows = rows_of(body, target, query.get("streamformat", ""), query.get("mappingname", ""))
        identity = identity_of(
            caller.client_request_id,
            caller.principal.object_id,
            target.resource_id,
            str(sorted(query.items())),
            body,
        )
        return await self._taking.ingestion.take_rows(target, rows, identity)

    def _database(self, caller: Caller, body: dict[str, Any]) -> Workspace:
        name = str(body.get("db") or "")
        if name:
            return self._reader.workspace(name)
        known = self._shows.readable(caller)
        # Without a name the only database there is.
        if len(known) == 1:
            return known[0]
        names = ", ".join(w.name for w in known) or "none"
        raise Invalid(f"The request names no database ('db'); there are: {names}.", code="MissingDatabase")

    async def _guarded(
        self, request: Request, work: Callable[[Caller, dict[str, Any]], Coroutine[Any, Any, Response]]
    ) -> Response:
        async def read(caller: Caller) -> Response:
            body = _json_object(await read_body(request))
            return await unless_gone(request, work(caller, body))

        return await self._answered(request, read)

    async def _answered(
        self, request: Request, work: Callable[[Caller], Coroutine[Any, Any, Response]]
    ) -> Response:
        """Run `work` for whoever asks; refusals become answers."""
        client_id = request.headers.get("x-ms-client-request-id", "")
        ids = {"client": client_id}
        try:
            caller = await self._reader.caller(request)
            ids = _ids(caller)
            response = await work(caller)
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


def _ids(caller: Caller) -> dict[str, str]:
    return {"client": caller.client_request_id or "", "activity": caller.correlation_id}


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
