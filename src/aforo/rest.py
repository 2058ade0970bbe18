"""The one face of refusals towards REST clients: ARM's error shape, for every plane but the gateway.

Source of the shape: Azure Resource Manager's common error response (`{"error": {code, message, target, details}}`).
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from aforo.errors import (
    Conflict,
    Denied,
    Invalid,
    Limited,
    NotFound,
    Refusal,
    Timeout,
    Unavailable,
    Upstream,
)

log = logging.getLogger("aforo.rest")

_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 400),
    (Denied, 403),
    (Limited, 429),
    (Unavailable, 503),
    (Upstream, 502),
    (Timeout, 504),
)


def status_of(refusal: Refusal) -> int:
    """The HTTP status that a refusal is answered with."""
    if isinstance(refusal, Denied) and not refusal.authenticated:
        return 401
    return next((status for kind, status in _STATUS if isinstance(refusal, kind)), 500)


def error_body(refusal: Refusal) -> dict[str, Any]:
    """The refusal as ARM writes it."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.target:
        error["target"] = refusal.target
    if refusal.details:
        error["details"] = [
            {"code": d.code, "target": d.target, "message": d.message} for d in refusal.details
        ]
    return {"error": error}


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; `body` is anything that orjson writes."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def read_body(request: Request, limit: int) -> bytes | None:
    """The whole body; None when it is larger than `limit` bytes, and then the rest of it is not read."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            return None
    return bytes(data)


async def on_refusal(_request: Request, refusal: Exception) -> Response:
    """Starlette exception function for `Refusal`."""
    assert isinstance(refusal, Refusal)
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
    if isinstance(refusal, Denied) and not refusal.authenticated:
        headers["WWW-Authenticate"] = 'Bearer realm="aforo"'
    return json_response(error_body(refusal), status_of(refusal), headers)


async def on_bug(request: Request, error: Exception) -> Response:
    """Starlette exception function for everything else: logged with an id, answered with that id."""
    bug_id = uuid.uuid4().hex
    log.error("bug %s at %s %s", bug_id, request.method, request.url.path, exc_info=error)
    message = f"Something went wrong inside; the log has it under {bug_id}."
    return json_response({"error": {"code": "InternalServerError", "message": message}}, 500)
