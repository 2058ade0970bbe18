"""The Log Analytics query API: workspaces, resources, batch, metadata, for every client that speaks it.

Who asks, what they may read, which workspace a name means and where the audit row goes are injected; so this
knows no identity, no resource store and no spool. Shapes: facts of the Azure Monitor Logs API.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Denied, Invalid, NotFound, Refusal
from aforo.identity.access import Principal
from aforo.logs import answers
from aforo.logs.asking import BatchItem, Question, batch_of, question_of, read_body
from aforo.logs.audit import TABLE as AUDIT_TABLE
from aforo.logs.audit import Asked, audit_row
from aforo.logs.question import US_PER_S, Outcome, QueryAnswer, QueryRequest, TimeRange
from aforo.logs.timespan import parse_timespan
from aforo.tables.catalog import TABLES

_AT_ONCE_IN_BATCH = 4
# How many hopeless queries are remembered, and how long.
_REMEMBERED = 1_000
_REMEMBERED_S = 120.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A Log Analytics workspace: its id is the GUID under which its tables lie."""

    id: str
    name: str
    resource_id: str
    region: str = ""


class Pool(Protocol):
    """Who answers: `query.QueryPool`. `root` is the folder of the tables."""

    @property
    def root(self) -> Path: ...

    async def query(self, request: QueryRequest) -> QueryAnswer:
        """The answer; cancelling ends the query. May refuse with `Limited` or `Unavailable`."""


Authenticate = Callable[[Request], Awaitable[Principal]]
MayRead = Callable[[Principal, Workspace, str], bool]
ResolveWorkspace = Callable[[str], Workspace | None]
ResolveResource = Callable[[str], Sequence[Workspace]]
Sink = Callable[[str, str, dict[str, Any]], None]


def routes(
    pool: Pool,
    authenticate: Authenticate,
    may_read: MayRead,
    resolve_workspace: ResolveWorkspace,
    sink: Sink,
    *,
    tables: Collection[str] = tuple(TABLES),
    resolve_resource: ResolveResource | None = None,
    tenant_id: str = "",
    clock: Callable[[], float] = time.time,
) -> list[BaseRoute]:
    """The routes of the query API, to be mounted at the root of the control plane.

    `authenticate(request)` gives the principal or raises `Denied(authenticated=False)`. `may_read(principal,
    workspace, table)` decides per table; a table that one may not read does not exist for him.
    `resolve_workspace(text)` takes a GUID, a name or an ARM id. `resolve_resource(arm_id)` gives the
    workspaces that hold the logs of a resource. `sink(workspace_id, table, row)` takes one audit row per
    query. `tables` are the names of the declared tables.
    """
    api = _Api(
        pool, authenticate, may_read, resolve_workspace, sink, tables, resolve_resource, tenant_id, clock
    )
    both, out = ["GET", "POST"], list[BaseRoute]()
    for prefix in ("/v1", ""):
        out += [
            Route(f"{prefix}/workspaces/{{workspace}}/query", api.workspace_query, methods=both),
            Route(f"{prefix}/workspaces/{{workspace}}/metadata", api.metadata, methods=both),
            Route(f"{prefix}/$batch", api.batch, methods=["POST"]),
            Route(f"{prefix}/subscriptions/{{resource:path}}/query", api.resource_query, methods=both),
        ]
    # What else stands below /v1/workspaces is a path that this API does not have.
    out.append(Route("/v1/workspaces/{rest:path}", api.unknown, methods=both))
    return out


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a query looks: workspaces, and resources to which its rows are narrowed (none: all rows)."""

    workspaces: tuple[Workspace, ...]
    resources: tuple[str, ...]
    target: str


class _Api:
    def __init__(
        self,
        pool: Pool,
        authenticate: Authenticate,
        may_read: MayRead,
        resolve_workspace: ResolveWorkspace,
        sink: Sink,
        tables: Collection[str],
        resolve_resource: ResolveResource | None,
        tenant_id: str,
        clock: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._authenticate = authenticate
        self._may_read = may_read
        self._resolve_workspace = resolve_workspace
        self._resolve_resource = resolve_resource
        self._sink = sink
        self._table_names = tuple(tables)
        self._tenant_id = tenant_id
        self._clock = clock
        self._hopeless: OrderedDict[tuple[str, str, str], tuple[float, QueryAnswer]] = OrderedDict()

    # -- routes --------------------------------------------------------------------------------------

    async def workspace_query(self, request: Request) -> Response:
        async def work(principal: Principal, body: bytes, correlation_id: str) -> Response:
            question = question_of(request, body)
            scope = self._widened([self._workspace(request.path_params["workspace"])], (), "", question)
            return await self._answered(request, principal, question, scope, correlation_id)

        return await self._guarded(request, work)

    async def resource_query(self, request: Request) -> Response:
        async def work(principal: Principal, body: bytes, correlation_id: str) -> Response:
            question = question_of(request, body)
            resource = f"/subscriptions/{request.path_params['resource']}"
            workspaces, resources = self._of_resource(resource)
            scope = self._widened(workspaces, resources, resource, question)
            return await self._answered(request, principal, question, scope, correlation_id)

        return await self._guarded(request, work)

    async def batch(self, request: Request) -> Response:
        async def work(principal: Principal, body: bytes, _correlation_id: str) -> Response:
            gate = asyncio.Semaphore(_AT_ONCE_IN_BATCH)

            async def one(item: BatchItem) -> bytes:
                async with gate:
                    return await self._batch_answer(request, principal, item)

            parts = await asyncio.gather(*(one(item) for item in batch_of(body)))
            return _json(200, b'{"responses":[' + b",".join(parts) + b"]}")

        return await self._guarded(request, work)

    async def metadata(self, request: Request) -> Response:
        async def work(principal: Principal, _body: bytes, correlation_id: str) -> Response:
            workspace = self._workspace(request.path_params["workspace"])
            answer = await self._pool.query(
                QueryRequest(
                    workspace_ids=(workspace.id,),
                    text="",
                    now_us=round(self._clock() * US_PER_S),
                    readable=self._readable(principal, (workspace,)),
                    describe=True,
                )
            )
            if answer.outcome is not Outcome.OK:
                status, failed = answers.failure(answer, correlation_id)
                return _json(status, orjson.dumps(failed))
            return _json(200, orjson.dumps(answers.metadata(answer, workspace)))

        return await self._guarded(request, work)

    async def unknown(self, request: Request) -> Response:
        async def work(_principal: Principal, _body: bytes, _correlation_id: str) -> Response:
            raise NotFound("The requested path does not exist", code="PathNotFoundError")

        return await self._guarded(request, work)

    async def _guarded(
        self, request: Request, work: Callable[[Principal, bytes, str], Coroutine[Any, Any, Response]]
    ) -> Response:
        """Run `work` for whoever asks; refusals become answers, and a client that leaves ends its query."""
        correlation_id = str(uuid.uuid4())
        try:
            principal = await self._authenticate(request)
            body = await read_body(request)
            response = await _unless_gone(request, work(principal, body, correlation_id))
        except Refusal as refusal:
            status, refused = answers.refused(refusal, correlation_id)
            response = _json(status, orjson.dumps(refused))
            if refusal.retry_after_s is not None:
                response.headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
            if status == 401:
                response.headers["WWW-Authenticate"] = 'Bearer realm="aforo"'
        if (client_id := request.headers.get("x-ms-client-request-id")) is not None:
            response.headers["x-ms-client-request-id"] = client_id
        response.headers["x-ms-correlation-id"] = correlation_id
        return response

    # -- one query -----------------------------------------------------------------------------------

    async def _answered(
        self, request: Request, principal: Principal, question: Question, scope: _Scope, correlation_id: str
    ) -> Response:
        return _json(*await self._ask(request, principal, question, scope, correlation_id))

    async def _batch_answer(self, request: Request, principal: Principal, item: BatchItem) -> bytes:
        correlation_id = str(uuid.uuid4())
        try:
            if isinstance(item.question, Invalid):
                raise item.question
            if item.path.rstrip("/") != "/query":
                raise NotFound("The requested path does not exist", code="PathNotFoundError")
            scope = self._widened([self._workspace(item.workspace)], (), "", item.question)
            status, body = await self._ask(request, principal, item.question, scope, correlation_id)
        except Refusal as refusal:
            status, refused = answers.refused(refusal, correlation_id)
            body = orjson.dumps(refused)
        head = orjson.dumps(
            {"id": item.id, "status": status, "headers": {"Content-Type": "application/json"}}
        )
        return head[:-1] + b',"body":' + body + b"}"

    async def _ask(
        self, request: Request, principal: Principal, question: Question, scope: _Scope, correlation_id: str
    ) -> tuple[int, bytes]:
        """(status, body) of one query; its audit row is written however it ends."""
        began = self._clock()
        timespan = _timespan(question, began)
        asked = QueryRequest(
            workspace_ids=tuple(w.id for w in scope.workspaces),
            text=question.text,
            now_us=round(began * US_PER_S),
            timespan=timespan,
            readable=self._readable(principal, scope.workspaces),
            resource_scopes=scope.resources,
            timeout_s=question.preferences.wait_s,
        )
        answer: QueryAnswer | None = None
        status = 499  # unless something comes of it: the client left
        try:
            answer = await self._pool_answer(request, principal, asked)
            if answer.outcome is not Outcome.OK:
                status, failed = answers.failure(answer, correlation_id)
                return status, orjson.dumps(failed)
            status = 200
            return status, answers.success(
                answer,
                statistics=question.preferences.statistics,
                render=question.preferences.render,
                row_limit=asked.row_limit,
                byte_limit=asked.byte_limit,
            )
        except Refusal as refusal:
            status, _ = answers.refused(refusal, correlation_id)
            raise
        finally:
            row = Asked(
                principal=principal,
                correlation_id=correlation_id,
                client_app=request.headers.get("x-ms-app") or request.headers.get("user-agent", ""),
                target=scope.target or scope.workspaces[0].resource_id,
                workspaces=tuple(w.resource_id for w in scope.workspaces),
                resources=scope.resources,
                text=question.text,
                timespan=timespan,
                began=began,
                ended=self._clock(),
                status=status,
            )
            for workspace in scope.workspaces:
                self._sink(workspace.id, AUDIT_TABLE, audit_row(row, answer, self._tenant_id, workspace.id))

    async def _pool_answer(self, request: Request, principal: Principal, asked: QueryRequest) -> QueryAnswer:
        """The pool's answer; the known one when this very request is a repetition of one that ran out of time.

        azure-core repeats a POST that met a 504, with the same request id: a monster would run four times.
        """
        client_id = request.headers.get("x-ms-client-request-id")
        if client_id is None:
            return await self._pool.query(asked)
        key = (client_id, principal.object_id, asked.text)
        known = self._hopeless.get(key)
        if known is not None and self._clock() - known[0] < _REMEMBERED_S:
            return known[1]
        answer = await self._pool.query(asked)
        if answer.outcome is Outcome.TIMEOUT:
            self._hopeless[key] = (self._clock(), answer)
            while len(self._hopeless) > _REMEMBERED:
                self._hopeless.popitem(last=False)
        return answer

    # -- names and rights ----------------------------------------------------------------------------

    def _workspace(self, text: str) -> Workspace:
        found = self._resolve_workspace(text)
        if found is None:
            raise NotFound(
                f"There is no workspace {text!r}: a workspace is named by its id (a GUID), its name or its ARM id.",
                code="WorkspaceNotFoundError",
            )
        return found

    def _of_resource(self, resource: str) -> tuple[list[Workspace], tuple[str, ...]]:
        """The workspaces that hold a resource's logs, and the filter on its rows (none for a workspace itself)."""
        resource = "/" + resource.strip("/")
        if (workspace := self._resolve_workspace(resource)) is not None:
            return [workspace], ()
        found = list(self._resolve_resource(resource)) if self._resolve_resource is not None else []
        if not found:
            raise NotFound(
                f"No workspace holds logs of {resource}: no diagnostic setting sends any to one.",
                code="ResourceNotFoundError",
            )
        return found, (resource.lower(),)

    def _widened(
        self, workspaces: Sequence[Workspace], resources: tuple[str, ...], target: str, question: Question
    ) -> _Scope:
        """With the further workspaces and resources that the body names."""
        out = {w.id: w for w in (*workspaces, *(self._workspace(text) for text in question.workspaces))}
        for text in question.resources:
            found, more = self._of_resource(text)
            out = {w.id: w for w in found} | out
            resources += more
        return _Scope(tuple(out.values()), resources, target)

    def _readable(self, principal: Principal, workspaces: Sequence[Workspace]) -> dict[str, tuple[str, ...]]:
        """The tables that the principal may read, per workspace; `Denied` when in one of them there is none."""
        out = {}
        for workspace in workspaces:
            names = {*self._table_names, *_stored_tables(self._pool.root / workspace.id)}
            out[workspace.id] = tuple(sorted(n for n in names if self._may_read(principal, workspace, n)))
            if not out[workspace.id]:
                who = principal.name or principal.object_id
                raise Denied(
                    f"{who} may not read the logs of workspace {workspace.name}.",
                    code="InsufficientAccessError",
                )
        return out


def _timespan(question: Question, now: float) -> TimeRange | None:
    """The range that all given timespans allow; None when there is none."""
    out: TimeRange | None = None
    for text in question.timespans:
        meant = parse_timespan(text, round(now * US_PER_S))
        out = meant if out is None else out.meet(meant)
    return out


def _stored_tables(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return []


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The response of `work`; when the client goes away first, the work is cancelled and nobody reads the 499."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return Response(status_code=499)
    finally:
        for each in (gone, task):
            each.cancel()
        await asyncio.gather(gone, task, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
