"""Answers of the gateway and of policies that refuse, byte for byte as API Management writes them. It decides nothing.

The bodies are those of answers seen on the wire; Azure's "Error handling in API Management policies" has the reasons
and messages of `LastError`, and for a missing key another wording than what is sent.
"""

from __future__ import annotations

from http import HTTPStatus

import orjson

from aforo.errors import Denied, Invalid, Limited, NotFound, Refusal, Timeout, Unavailable, Upstream
from aforo.messages import Headers
from aforo.policy.exchange import Body, LastError, PolicyFailure, ResponseState

MISSING_KEY = (
    "Access denied due to missing subscription key. Make sure to include subscription key when making "
    "requests to an API."
)
INVALID_KEY = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
NOT_FOUND = "Resource not found"
FORBIDDEN = "Forbidden"
INTERNAL = "Internal server error"
UNAVAILABLE = "Service unavailable"
TOO_LARGE = "Request body is too large"

_STATUS: tuple[tuple[type[Refusal], int], ...] = (
    (NotFound, 404),
    (Invalid, 400),
    (Denied, 403),
    (Limited, 429),
    (Unavailable, 503),
    (Upstream, 502),
    (Timeout, 504),
)
_REASONS = {s.value: s.phrase for s in HTTPStatus}


def reason_of(status: int) -> str:
    """The usual reason phrase of a status, "" for an unknown one."""
    return _REASONS.get(status, "")


# Statuses of answers: an interim one would make the client wait for another.
FINAL = range(200, 1000)


def no_answer(status: int) -> LastError:
    """The failure of a response whose status is not in `FINAL`."""
    return LastError("gateway", "InternalError", f"{status} is not the status of an answer")


def body_of(status: int, message: str, activity_id: str = "") -> bytes:
    """`{ "statusCode": 404, "message": "..." }`, with the spaces that the real service has."""
    text = orjson.dumps(message).decode()
    tail = f', "activityId": "{activity_id}"' if activity_id else ""
    return f'{{ "statusCode": {status}, "message": {text}{tail} }}'.encode()


def answer(
    status: int, message: str, *, activity_id: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> ResponseState:
    """An error answer of the gateway's own."""
    fields = Headers.of(((b"content-type", b"application/json"), *headers))
    return ResponseState(status, reason_of(status), fields, Body(body_of(status, message, activity_id)))


def refused(error: Refusal) -> PolicyFailure:
    """A refusal that reached the end of its section, as the failure that `on-error` handles; its message is the answer."""
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if error.retry_after_s is not None:
        headers = ((b"retry-after", b"%d" % max(1, round(error.retry_after_s))),)
    last = LastError("gateway", error.code, error.message, http_status=status)
    return PolicyFailure(last, None, headers)


def built_in(error: LastError, call_id: str) -> ResponseState:
    """What a client gets when no policy says otherwise."""
    if error.http_status == 503:
        return answer(503, UNAVAILABLE)
    if error.http_status >= 500:
        return answer(500, INTERNAL, activity_id=guid(call_id))
    return answer(error.http_status, error.message)


def challenge(authority: str, api_path: str, key_header: str, *, scheme: str) -> tuple[bytes, bytes]:
    """The `WWW-Authenticate` of a key that is missing or wrong."""
    value = (
        f'AzureApiManagementKey realm="{scheme}://{authority}/{api_path}",name="{key_header}",type="header"'
    )
    return b"www-authenticate", value.encode("latin-1", "replace")


def guid(call_id: str) -> str:
    """32 hexadecimal digits with the dashes of a GUID."""
    return f"{call_id[:8]}-{call_id[8:12]}-{call_id[12:16]}-{call_id[16:20]}-{call_id[20:]}"
