"""Requests that policies make themselves: whole, with a whole answer. It knows no call."""

from __future__ import annotations

import time

from aforo.egress.fetch import fetch
from aforo.egress.pool import Pool
from aforo.errors import Invalid, Refusal, Timeout
from aforo.gateway import encoding, trips
from aforo.gateway.backends import Backends
from aforo.gateway.breakers import Guard
from aforo.gateway.credentials import add_headers, add_query, way_of
from aforo.gateway.retry_after import retry_after_s
from aforo.messages import Headers
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState
from aforo.policy.services import Metrics, OutboundRequest, Tokens


async def send(
    pool: Pool, request: OutboundRequest, backends: Backends | None, tokens: Tokens, metrics: Metrics
) -> ResponseState:
    """The answer, its body decoded. PolicyFailure when there is none: Timeout or BackendConnectionFailure."""
    try:
        return await _send(pool, request, backends, tokens, metrics)
    except Timeout as error:
        raise PolicyFailure(LastError("send-request", "Timeout", error.message)) from error
    except Refusal as error:
        raise PolicyFailure(LastError("send-request", "BackendConnectionFailure", error.message)) from error


async def _send(
    pool: Pool, request: OutboundRequest, backends: Backends | None, tokens: Tokens, metrics: Metrics
) -> ResponseState:
    url, headers = request.url, Headers.of(request.headers)
    way = way_of(request.certificate, request.proxy)
    chain = name = True
    guard: Guard | None = None
    if request.backend_id:
        if backends is None:
            raise Refusal("no configuration is in force")
        backend = backends.of_id(request.backend_id)
        path, _, query = url.partition("?")
        query = "&".join(part for part in (backend.query, query) if part)
        if backend.entry is not None:
            if backend.entry.query:
                query, _ = add_query(query, backend.entry)
            headers = await add_headers(headers, backend.entry, tokens)
        guard = backend.guard
        chain, name = backend.origin.validate_chain, backend.origin.validate_name
        way = way or backend.origin.way
        url = f"{backend.prefix}{backend.base_path}{path}" + (f"?{query}" if query else "")
    began = time.perf_counter()
    try:
        answer = await fetch(
            pool,
            request.method,
            url,
            headers,
            request.body,
            timeout_s=request.timeout_s,
            validate_chain=chain,
            validate_name=name,
            way=way,
        )
    except Refusal as refusal:
        if guard is not None and not isinstance(refusal, Invalid):
            reason = "Timeout" if isinstance(refusal, Timeout) else "BackendConnectionFailure"
            if guard.saw(began, time.perf_counter(), 0, reason):
                trips.tell(guard, reason, metrics)
        raise
    if guard is not None:
        told = retry_after_s(answer.headers) if answer.status >= 400 else None
        if guard.saw(began, time.perf_counter(), answer.status, "", told):
            trips.tell(guard, str(answer.status), metrics)
    data = encoding.decode(answer.body, answer.headers.get(b"content-encoding"))
    given = answer.headers.passed_on()
    given.remove(b"content-encoding")
    return ResponseState(answer.status, answer.reason, given, Body(data))
