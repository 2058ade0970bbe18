"""The Log Analytics query API: workspaces, resources, batch, metadata, for every client that speaks it.

It knows the shapes of requests and answers (the Azure Monitor Logs API's); who may ask what is `reader`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from aforo.errors import Invalid, NotFound, Refusal
from aforo.logs import answers, exporting
from aforo.logs.asking import BatchItem, Question, batch_of, question_of, read_body
from aforo.logs.question import Outcome, QueryAnswer, QueryRequest, TimeRange
from aforo.logs.reader import (
    Authenticate,
    Caller,
    MayRead,
    Pool,
    Reader,
    ResolveWorkspace,
    Scope,
    Sink,
)
from aforo.logs.timespan import parse_timespan

_AT_ONCE_IN_BATCH = 4


def routes(
    pool: Pool,
    authenticate: Authenticate,
    may_read: MayRead,
    resolve_workspace: ResolveWorkspace,
    sink: Sink,
    **more: Any,
) -> list[BaseRoute]:
    """The routes of the query API, to be mounted at the root of the control plane.

    The arguments are those of `reader.Reader`, which says what each has to do.
    """
    api = _Api(Reader(pool, authenticate, may_read, resolve_workspace, sink, **more))
    both, out = ["GET", "POST"], list[BaseRoute]()
    for prefix in ("/v1", ""):
        out += [
            Route(f"{prefix}/workspaces/{{workspace}}/query", api.workspace_query, methods=both),
            Route(f"{prefix}/workspaces/{{workspace}}/metadata", api.metadata, methods=both),
            Route(f"{prefix}/$batch", api.batch, methods=["POST"]),
            # Without a version such a path can also be the GET of a resource that is named `query`.
            Route(
                f"{prefix}/subscriptions/{{resource:path}}/query",
                api.resource_query,
                methods=both if prefix else ["POST"],
            ),
        ]
    # What else stands below /v1/workspaces is a path that this API does not have.
    out.append(Route("/v1/workspaces/{rest:path}", api.unknown, methods=both))
    return out


Work = Callable[[Caller, bytes], Coroutine[Any, Any, Response]]


class _Api:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def workspace_query(self, request: Request) -> Response:
        async def work(caller: Caller, body: bytes) -> Response:
            question = question_of(request, body)
            workspace = self._reader.workspace(request.path_params["workspace"])
            scope = self._reader.scope(workspace, question.workspaces, question.resources)
            return await self._asked(request, caller, question, scope)

        return await self._guarded(request, work)

    async def resource_query(self, request: Request) -> Response:
        async def work(caller: Caller, body: bytes) -> Response:
            question = question_of(request, body)
            resource = f"/subscriptions/{request.path_params['resource']}"
            scope = self._reader.scope(resource, question.workspaces, question.resources)
            return await self._asked(request, caller, question, scope)

        return await self._guarded(request, work)

    async def batch(self, request: Request) -> Response:
        async def work(caller: Caller, body: bytes) -> Response:
            gate = asyncio.Semaphore(_AT_ONCE_IN_BATCH)

            async def one(item: BatchItem) -> bytes:
                async with gate:
                    # A correlation id of its own; the client's id stands for all of them.
                    return await self._batch_answer(
                        Caller(caller.principal, caller.client_request_id, caller.client_app, caller.address),
                        item,
                    )

            parts = await asyncio.gather(*(one(item) for item in batch_of(body)))
            return _json(200, b'{"responses":[' + b",".join(parts) + b"]}")

        return await self._guarded(request, work)

    async def metadata(self, request: Request) -> Response:
        async def work(caller: Caller, _body: bytes) -> Response:
            workspace = self._reader.workspace(request.path_params["workspace"])
            answer = await self._reader.describe(caller, self._reader.scope(workspace))
            if answer.outcome is not Outcome.OK:
                status, failed = answers.failure(answer, caller.correlation_id)
                return _json(status, orjson.dumps(failed))
            return _json(
                200,
                orjson.dumps(answers.metadata(answer, workspace, self._reader.contents(workspace).functions)),
            )

        return await self._guarded(request, work)

    async def unknown(self, request: Request) -> Response:
        async def work(_caller: Caller, _body: bytes) -> Response:
            raise NotFound("The requested path does not exist", code="PathNotFoundError")

        return await self._guarded(request, work)

    async def _asked(self, request: Request, caller: Caller, question: Question, scope: Scope) -> Response:
        """The answer to one query in the form that the client accepts: JSON, or a file."""
        form = exporting.form_of(request.headers.get("accept", ""))
        if not form:
            return _json(*await self._ask(caller, question, scope))
        asked, answer = await self._answer(caller, question, scope)
        if answer.outcome is not Outcome.OK:
            status, failed = answers.failure(answer, caller.correlation_id)
            return _json(status, orjson.dumps(failed))
        if answer.cut:
            # A file has no place for the word that rows are missing.
            return _json(400, orjson.dumps(answers.incomplete(answer, asked, caller.correlation_id)))
        columns = [(c.name, c.type) for c in answer.columns]
        body = await asyncio.to_thread(_exported, columns, answer.rows, form)
        return Response(body, media_type=exporting.MEDIA_TYPES[form][0])

    async def _ask(self, caller: Caller, question: Question, scope: Scope) -> tuple[int, bytes]:
        """(status, body) of one query."""
        asked, answer = await self._answer(caller, question, scope)
        if answer.outcome is not Outcome.OK:
            status, failed = answers.failure(answer, caller.correlation_id)
            return status, orjson.dumps(failed)
        preferences = question.preferences
        return 200, answers.success(
            answer,
            statistics=preferences.statistics,
            render=preferences.render,
            row_limit=asked.row_limit,
            byte_limit=asked.byte_limit,
        )

    async def _answer(
        self, caller: Caller, question: Question, scope: Scope
    ) -> tuple[QueryRequest, QueryAnswer]:
        preferences = question.preferences
        asked = self._reader.request(
            caller,
            scope,
            question.text,
            timespan=_timespan(question, self._reader.now_us),
            timeout_s=preferences.wait_s,
        )
        return asked, await self._reader.ask(caller, scope, asked)

    async def _batch_answer(self, caller: Caller, item: BatchItem) -> bytes:
        try:
            if isinstance(item.question, Invalid):
                raise item.question
            if item.path.rstrip("/") != "/query":
                raise NotFound("The requested path does not exist", code="PathNotFoundError")
            workspace = self._reader.workspace(item.workspace)
            scope = self._reader.scope(workspace, item.question.workspaces, item.question.resources)
            status, body = await self._ask(caller, item.question, scope)
        except Refusal as refusal:
            status, refused = answers.refused(refusal, caller.correlation_id)
            body = orjson.dumps(refused)
        head = orjson.dumps(
            {"id": item.id, "status": status, "headers": {"Content-Type": "application/json"}}
        )
        return head[:-1] + b',"body":' + body + b"}"

    async def _guarded(self, request: Request, work: Work) -> Response:
        """Run `work` for whoever asks; refusals become answers, and a client that leaves ends its query."""
        correlation_id = ""
        try:
            caller = await self._reader.caller(request)
            correlation_id = caller.correlation_id
            body = await read_body(request)
            response = await unless_gone(request, work(caller, body))
        except Refusal as refusal:
            status, refused = answers.refused(refusal, correlation_id)
            response = _json(status, orjson.dumps(refused))
            if refusal.retry_after_s is not None:
                response.headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
            if status == 401:
                response.headers["WWW-Authenticate"] = 'Bearer realm="aforo"'
        if (client_id := request.headers.get("x-ms-client-request-id")) is not None:
            response.headers["x-ms-client-request-id"] = client_id
        if correlation_id:
            response.headers["x-ms-correlation-id"] = correlation_id
        return response


def _timespan(question: Question, now_us: int) -> TimeRange | None:
    """The range that all given timespans allow; None when there is none."""
    out: TimeRange | None = None
    for text in question.timespans:
        meant = parse_timespan(text, now_us)
        out = meant if out is None else out.meet(meant)
    return out


def _exported(columns: exporting.Columns, rows: bytes, form: str) -> bytes:
    return exporting.exported(columns, orjson.loads(b"[" + rows + b"]"), form)


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The response of `work`; when the client goes away first, the work is cancelled and nobody reads the 499.

    The body of the request must have been read.
    """
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
