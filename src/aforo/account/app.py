"""The local account as an ASGI application: paths, admission, and who answers what. It starts no server.

In the order of Azure's front door: path and api-version, who calls, which deployment, what they ask. Two surfaces:
the dated one (`/openai/deployments/{id}/...`, api-version required) and v1 (`/openai/v1/...`, model in the body).
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aforo.account import faults, listings
from aforo.account.auth import Gatekeeper
from aforo.account.call import CLIENT_LEFT, Call
from aforo.account.diagnostics import Diagnostics, RowSink
from aforo.account.engines.engine import Engine
from aforo.account.facts import FactsSource
from aforo.account.faults import Fault
from aforo.account.inference import InferenceReply
from aforo.account.listings import find_deployment
from aforo.account.operations import (
    CHAT,
    COMPLETIONS,
    DEPLOYMENTS_GET,
    DEPLOYMENTS_LIST,
    EMBEDDINGS,
    FILES,
    FINE_TUNING,
    INFERENCE,
    MODELS_GET,
    MODELS_LIST,
    OTHER,
    Operation,
    is_api_version,
    knows_stream_options,
)
from aforo.account.quota import Quota
from aforo.account.requests import Embedding, Generation, read_chat, read_completions, read_embeddings
from aforo.model.account_facts import AccountFacts

log = logging.getLogger("aforo.account")

MAX_BODY_BYTES = 16 * 1024 * 1024
_METRICS_EVERY_S = 5.0
_LOOK_EVERY_S = 0.2
_ANY_METHOD = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
Answer = dict[str, Any] | Fault | InferenceReply
Answerer = Callable[[Request, Call], Awaitable[Answer]]


def create_app(
    facts: FactsSource,
    engine: Engine,
    sink: RowSink,
    *,
    clock: Callable[[], float] = time.monotonic,
    clock_ns: Callable[[], int] = time.time_ns,
) -> ASGIApp:
    """The application. Its lifespan starts and closes the engine and writes out the last metrics.

    `facts` says what the account is (`account.facts.FactsFile`), `sink` takes its diagnostics (`SpoolWriter`).
    """
    account = _Account(facts, engine, Diagnostics(sink, clock_ns), Quota(clock))
    routes = [
        Route("/livez", account.live, methods=["GET"]),
        Route("/readyz", account.ready, methods=["GET"]),
        Route("/openai/v1/{rest:path}", account.v1, methods=_ANY_METHOD),
        Route("/openai/{rest:path}", account.dated, methods=_ANY_METHOD),
        Route("/{rest:path}", account.nothing, methods=_ANY_METHOD),
    ]
    return _OneSlash(Starlette(routes=routes, lifespan=account.lifespan))


class _OneSlash:
    """`api_base` with a slash at its end makes old clients ask for `//openai/...`; it means one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "//" in scope["path"]:
            path = scope["path"]
            while "//" in path:
                path = path.replace("//", "/")
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


class _Account:
    def __init__(self, facts: FactsSource, engine: Engine, diagnostics: Diagnostics, quota: Quota) -> None:
        self._facts = facts
        self._engine = engine
        self._diagnostics = diagnostics
        self._quota = quota
        self._gate: Gatekeeper | None = None

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(self._tick())]
        if self._is_served():
            await self._engine.start()
        else:
            tasks.append(asyncio.ensure_future(self._start_when_served()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._engine.close()
            facts = self._facts.current()
            if facts is not None:
                self._diagnostics.flush(facts)

    def _is_served(self) -> bool:
        facts = self._facts.current()
        return facts is not None and facts.exists

    async def _start_when_served(self) -> None:
        """A model is loaded when there is an account that it answers for, and not before."""
        while not self._is_served():  # noqa: ASYNC110 - a file is looked at, nobody tells
            await asyncio.sleep(_LOOK_EVERY_S)
        await self._engine.start()

    async def _tick(self) -> None:
        """A minute's metrics are written out even if no call comes after it."""
        while True:
            await asyncio.sleep(_METRICS_EVERY_S)
            facts = self._facts.current()
            if facts is not None:
                self._diagnostics.tick(facts)

    # -- health ----------------------------------------------------------------------------------------

    async def live(self, _request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def ready(self, _request: Request) -> Response:
        """Ready to answer, if only with "still loading": the model comes up behind it."""
        state = self._engine.state()
        facts = self._facts.current()
        published = facts is not None
        if facts is not None and not facts.exists:
            return _json(200, {"ready": True, "account": None}, {})
        body = {
            "ready": published,
            "account": facts.name if facts is not None else None,
            "engine": {
                "name": self._engine.name,
                "ready": state.ready,
                "note": state.note or self._engine.note,
            },
        }
        return _json(200 if published else 503, body, {} if published else {"retry-after": "1"})

    # -- the two surfaces ------------------------------------------------------------------------------

    async def nothing(self, request: Request) -> Response:
        return await self._served(request, OTHER, _constant(faults.resource_not_found()))

    async def dated(self, request: Request) -> Response:
        """`/openai/{rest}?api-version=2023-05-15`"""
        parts = request.path_params["rest"].strip("/").split("/")
        if not is_api_version(request.query_params.get("api-version", "")):
            return await self._served(request, OTHER, _constant(faults.resource_not_found()))
        if parts[0] == "deployments" and len(parts) > 2:
            operation = INFERENCE.get("/".join(parts[2:]))
            if operation is None:
                return await self._served(request, OTHER, _constant(faults.resource_not_found()))
            return await self._served(request, operation, self._inference(parts[1]), "POST")
        return await self._rest(request, parts)

    async def v1(self, request: Request) -> Response:
        """`/openai/v1/{rest}`, the api-version being optional and of any form."""
        rest = request.path_params["rest"].strip("/")
        operation = INFERENCE.get(rest)
        if operation is not None:
            return await self._served(request, operation, self._inference(None), "POST")
        return await self._rest(request, rest.split("/"))

    async def _rest(self, request: Request, parts: list[str]) -> Response:
        """What both surfaces have beside inference: listings, and what this account has not."""
        match parts:
            case ["models"]:
                return await self._served(request, MODELS_LIST, listings.models(self._engine), "GET")
            case ["models", name]:
                return await self._served(request, MODELS_GET, listings.model(self._engine, name), "GET")
            case ["deployments"]:
                return await self._served(request, DEPLOYMENTS_LIST, listings.deployments, "GET")
            case ["deployments", name]:
                return await self._served(request, DEPLOYMENTS_GET, listings.deployment(name), "GET")
            case [word, *more] if word in listings.ABSENT:
                operation = FILES if word == "files" else FINE_TUNING
                return await self._served(request, operation, listings.absent(word, more))
            case _:
                return await self._served(request, OTHER, _constant(faults.resource_not_found()))

    # -- one call --------------------------------------------------------------------------------------

    async def _served(
        self,
        request: Request,
        operation: Operation,
        answer: Answerer,
        method: str = "",
    ) -> Response:
        """Admit the caller, let `answer` answer, write the call down. `method` "" means any."""
        facts = self._facts.current()
        if facts is None:
            fault = faults.not_provisioned()
            return _json(fault.status, fault.body, fault.headers)
        if not facts.exists:
            fault = faults.none_served()
            return _json(fault.status, fault.body, fault.headers)
        call = Call(request, operation, facts, self._diagnostics)
        try:
            result = await self._answered(request, call, facts, answer, method)
        except ClientDisconnect:
            call.finish(CLIENT_LEFT)
            return Response(status_code=CLIENT_LEFT)
        except Exception as error:
            bug_id = uuid.uuid4().hex
            log.error("bug %s in %s", bug_id, operation.name, exc_info=error)
            result = faults.bug(bug_id)
        if isinstance(result, InferenceReply):
            return result
        if isinstance(result, Fault):
            return self._finished(call, result.status, result.body, result.headers)
        return self._finished(call, 200, result, {})

    async def _answered(
        self,
        request: Request,
        call: Call,
        facts: AccountFacts,
        answer: Answerer,
        method: str,
    ) -> Answer:
        if call.operation is OTHER:
            return await answer(request, call)
        if method and request.method != method:
            return faults.method_not_allowed(method)
        gate = self._gate
        if gate is None or gate.facts is not facts:
            gate = self._gate = Gatekeeper(facts)
        caller = await gate.admit(request, call.operation, bearer_key="/v1/" in request.url.path)
        if isinstance(caller, Fault):
            return caller
        call.object_id = caller.object_id
        return await answer(request, call)

    def _finished(self, call: Call, status: int, body: dict[str, Any], headers: dict[str, str]) -> Response:
        response = _json(status, body, {**call.headers(self._engine), **headers})
        call.response_bytes = len(response.body)
        call.finish(status)
        return response

    # -- inference -------------------------------------------------------------------------------------

    def _inference(self, deployment: str | None) -> Answerer:
        """`deployment` None: the body's `model` names it (v1)."""

        async def answer(request: Request, call: Call) -> Answer:
            if deployment is not None:
                found = find_deployment(call.facts, deployment)
                if found is None:
                    return faults.deployment_not_found()
                call.deployment = found
            body = await _read_object(request, call)
            if isinstance(body, Fault):
                return body
            if deployment is None:
                name = body.get("model")
                if not isinstance(name, str) or not name:
                    return faults.invalid("you must provide a model parameter", "model")
                found = find_deployment(call.facts, name)
                if found is None:
                    return faults.deployment_not_found()
                call.deployment = found
            return self._asked(call, body, dated=deployment is not None)

        return answer

    def _asked(self, call: Call, body: dict[str, Any], *, dated: bool) -> Answer:
        deployment = call.deployment
        assert deployment is not None
        if deployment.embeds != (call.operation is EMBEDDINGS):
            return faults.operation_not_supported(call.operation.word, deployment.model)
        newer = not dated or knows_stream_options(call.api_version)
        asked = _read(call.operation, body, stream_options=newer)
        if isinstance(asked, Fault):
            return asked
        call.streaming = isinstance(asked, Generation) and asked.stream
        allowance = call.allowance = self._quota.enter(deployment)
        if allowance is not None and allowance.refused:
            return faults.rate_limited(
                call.operation.name,
                call.api_version,
                deployment.model,
                allowance.refused,
                allowance.retry_after_s,
            )
        return InferenceReply(call, self._engine, asked, self._quota)


def _read(
    operation: Operation, body: dict[str, Any], *, stream_options: bool
) -> Generation | Embedding | Fault:
    if operation is CHAT:
        return read_chat(body, stream_options=stream_options)
    if operation is COMPLETIONS:
        return read_completions(body, stream_options=stream_options)
    return read_embeddings(body)


async def _read_object(request: Request, call: Call) -> dict[str, Any] | Fault:
    data = bytearray()
    async for chunk in request.stream():
        call.request_bytes += len(chunk)
        if call.request_bytes > MAX_BODY_BYTES:
            return faults.too_large(MAX_BODY_BYTES)
        data += chunk
    plain = _without_coding(bytes(data), request.headers.get("content-encoding", ""))
    if isinstance(plain, Fault):
        return plain
    try:
        body = orjson.loads(plain)
    except ValueError:
        return faults.no_json()
    return body if isinstance(body, dict) else faults.no_json()


def _without_coding(data: bytes, coding: str) -> bytes | Fault:
    """The body as its sender wrote it: this account undoes gzip, other codings are refused by name."""
    name = coding.strip().lower()
    if name in ("", "identity"):
        return data
    if name not in ("gzip", "x-gzip"):
        return faults.unknown_coding(coding)
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data, MAX_BODY_BYTES + 1)
    except zlib.error:
        return faults.broken_coding()
    if len(plain) > MAX_BODY_BYTES:
        return faults.too_large(MAX_BODY_BYTES)
    return plain if inflater.eof else faults.broken_coding()


def _constant(fault: Fault) -> Answerer:
    async def answer(_request: Request, _call: Call) -> Answer:
        return fault

    return answer


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(body) + b"\n", status, headers, media_type="application/json")
