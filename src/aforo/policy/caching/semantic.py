"""Answers by the meaning of a prompt: what the policies of the semantic caches do in a call. It knows no element.

A prompt is compared with those before it by the distance of their embeddings, within one partition: subscription, API,
operation, path (with the deployment), every other parameter of the request, and what `vary-by` adds. A cache that does
not work, the embeddings backend among it, changes nothing in a call.
"""

from __future__ import annotations

import base64
import binascii
import logging
import sys
from array import array
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from aforo.csharp.runtime.exceptions import FormatException
from aforo.errors import Refusal
from aforo.llm.catalog import WIRES
from aforo.llm.digest import assemble, read_object
from aforo.llm.meaning import Asked, asked
from aforo.llm.replay import replay
from aforo.llm.wire import Json
from aforo.messages import Headers
from aforo.policy.caching.caches import SEMANTIC, caching, digest, store_whole, timed, to_keep
from aforo.policy.exchange import Body, Exchange, FromCache, PolicyFailure, ResponseState
from aforo.policy.services import OutboundRequest

log = logging.getLogger("aforo.policy")

RESOURCE: Final = "https://cognitiveservices.azure.com"
# A backend for embeddings is the address of a deployment's embeddings; every version knows this one.
_TARGET: Final = "?api-version=2023-05-15"
TIMEOUT_S: Final = 5.0
# No embeddings model reads more.
_LONGEST_TEXT: Final = 256 * 1024
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class NotFound:
    """What a look-up did not find: where the answer belongs."""

    partition: str
    vector: list[float]
    wire: str


class Entry(msgspec.Struct, array_like=True):
    """A kept answer: whole JSON in `body` where it is a model's, whatever form it came in."""

    version: int
    status: int
    reason: str
    content_type: bytes
    body: bytes
    wire: str


_ENTRIES: Final = msgspec.msgpack.Decoder(Entry)


async def look_up(
    exchange: Exchange,
    max_distance: float,
    backend_id: str | None,
    ignore_system: bool,
    max_messages: int | None,
    vary_by: tuple[str | None, ...],
) -> None:
    """FromCache when a prompt of that meaning has been answered; else the answer to come may be kept."""
    request = exchange.request
    said = read_object(request.body.data or b"") if request.method == "POST" else {}
    question = _asked(exchange, said, ignore_system)
    if question is None or (max_messages is not None and question.messages > max_messages):
        return
    try:
        partition = partition_of(exchange, question, backend_id or "", vary_by)
    except RecursionError:
        return
    vector = await _embedding(exchange, backend_id or "", question.text)
    if vector is None:
        return
    found = await timed(exchange, exchange.services.vectors.search(partition, vector, max_distance))
    state = caching(exchange)
    response = _response(found, said)
    if response is None:
        state.outcome = "miss"
        state.pending[SEMANTIC] = NotFound(partition, vector, question.wire)
        return
    state.outcome = "hit"
    exchange.response = response
    raise FromCache(SEMANTIC)


def _asked(exchange: Exchange, said: Json, ignore_system: bool) -> Asked | None:
    try:
        question = asked(exchange.request.path, said, ignore_system=ignore_system) if said else None
    except RecursionError:  # nested deeper than anything that means something
        return None
    return question if question is not None and len(question.text) <= _LONGEST_TEXT else None


def partition_of(
    exchange: Exchange, question: Asked, backend_id: str, vary_by: tuple[str | None, ...]
) -> str:
    """Answers are never served from one partition to another."""
    api, operation = exchange.api, exchange.operation
    subscription, product = exchange.subscription, exchange.product
    return digest(
        [api.id, api.revision] if api else None,
        operation.id if operation else None,
        product.id if product else None,
        subscription.id if subscription else None,
        exchange.request.path,  # the deployment stands in it, whatever the operation's template calls it
        backend_id,
        question.exact,
        vary_by,
    )


# --- embeddings ---------------------------------------------------------------------------------------------------------


async def _embedding(exchange: Exchange, backend_id: str, text: str) -> list[float] | None:
    """The vector of a text, None when the backend does not give one."""
    headers = [(b"content-type", b"application/json")]
    token = await _token(exchange)
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    try:
        body = orjson.dumps({"input": text})
    except orjson.JSONEncodeError:
        return None
    request = OutboundRequest("POST", _TARGET, tuple(headers), body, TIMEOUT_S, backend_id)
    try:
        answer = await exchange.services.send(request)
        data = await answer.body.read()
    except (PolicyFailure, Refusal) as error:
        log.warning("the embeddings backend '%s' does not answer: %s", backend_id, error)
        return None
    vector = read_vector(data) if answer.status == 200 else None
    if vector is None:
        log.warning("the embeddings backend '%s' gave no vector (status %d)", backend_id, answer.status)
    return vector


async def _token(exchange: Exchange) -> str | None:
    """Of the gateway's own identity. Without one, the backend's own credentials may do."""
    tokens = exchange.services.tokens
    try:
        return tokens.cached(RESOURCE, None) or await tokens.fetch(RESOURCE, None)
    except Refusal:
        return None


def read_vector(data: bytes) -> list[float] | None:
    """The first vector of an answer on the embeddings wire, as numbers or as base64 of single-precision ones."""
    entries = read_object(data).get("data")
    first = entries[0] if isinstance(entries, list) and entries else None
    found: Any = first.get("embedding") if isinstance(first, dict) else None
    if isinstance(found, str):
        try:
            numbers = array("f", base64.b64decode(found, validate=True))
        except (binascii.Error, ValueError):
            return None
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tolist() or None
    if not isinstance(found, list) or not found or not all(type(x) in (int, float) for x in found):
        return None
    return [float(x) for x in found]


# --- answers --------------------------------------------------------------------------------------------------------------


def _response(found: bytes | None, request: Json) -> ResponseState | None:
    """A kept answer in the form that this request asks for."""
    if found is None:
        return None
    try:
        entry = _ENTRIES.decode(found)
    except (msgspec.MsgspecError, ValueError):
        return None
    if entry.version != _VERSION:
        return None
    content_type, body = entry.content_type, entry.body
    if entry.wire and request.get("stream") is True:
        options = request.get("stream_options")
        include = isinstance(options, dict) and options.get("include_usage") is True
        events = replay(entry.wire, read_object(body), include_usage=include)
        if events is None:
            return None
        content_type, body = b"text/event-stream", events
    headers = Headers.of(((b"content-type", content_type),))
    return ResponseState(entry.status, entry.reason, headers, Body(body))


async def store(exchange: Exchange, seconds: int, wanted: bool | None) -> None:
    """Keeps the answer for the look-up that missed it; a stream when it has come to its end."""
    state = exchange.caching
    missing: NotFound | None = state.pending.pop(SEMANTIC, None) if state is not None else None
    response = exchange.response
    if missing is None or response is None or not to_keep(response, wanted) or seconds <= 0:
        return
    content_type = response.headers.get(b"content-type") or b"application/json"
    status, reason = response.status, response.reason or ""

    async def keep(body: bytes) -> None:
        wire = missing.wire if 200 <= status < 300 else ""
        whole = _whole(wire, content_type, body) if wire else body
        if whole is None:
            return
        kind = b"application/json" if wire else content_type
        entry = msgspec.msgpack.encode(Entry(_VERSION, status, reason, kind, whole, wire))
        vectors = exchange.services.vectors
        await timed(exchange, vectors.add(missing.partition, missing.vector, entry, float(seconds)))

    await store_whole(exchange, response, keep)


def _whole(wire: str, content_type: bytes, body: bytes) -> bytes | None:
    """A model's answer as JSON; None when it is not all there, or none."""
    try:
        if content_type.lower().startswith(b"text/event-stream"):
            answer, complete = assemble(WIRES[wire], body)
            return orjson.dumps(answer) if complete and _is_answer(answer) else None
        return body if _is_answer(read_object(body)) else None
    except (RecursionError, orjson.JSONEncodeError):
        return None


def _is_answer(answer: Json) -> bool:
    if answer.get("error") is not None or answer.get("status") in ("failed", "cancelled"):
        return False
    return bool(answer.get("choices") or answer.get("output"))


def distance(text: str | None) -> float:
    """The value of `score-threshold`."""
    try:
        found = float((text or "").strip())
    except ValueError:
        raise FormatException("The value of 'score-threshold' is not a number.") from None
    if not 0.0 <= found <= 1.0:
        raise FormatException("The value of 'score-threshold' must be between 0 and 1.")
    return found
