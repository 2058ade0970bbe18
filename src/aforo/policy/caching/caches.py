"""What the policies that cache have in common: which cache, how long, how it is waited for, storing an answer whole.

It knows no element. Answers by key are answers.py's, values values.py's, semantic caches semantic.py's.
"""

from __future__ import annotations

import ast
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import orjson

from aforo.errors import Refusal
from aforo.messages import Headers, is_event_stream
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Caching, Exchange, ResponseState, Services
from aforo.policy.services import Cache, CacheWhere
from aforo.policy.spec import Attribute

# Families of caches: what was looked up in one is stored in it (`Pipeline.resumed`).
ANSWERS: Final = "answers"
SEMANTIC: Final = "semantic"
# An answer that is larger is not kept.
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
# A body of which this much is announced is waited for; a longer one, and a stream, is kept as it goes by.
_AT_ONCE_BYTES: Final = 256 * 1024
LONGEST_S: Final = 2**31 - 1

CACHING_TYPE: Final = Attribute(
    "caching-type",
    "Which cache: `internal` is the gateway's own memory, `external` the one that all gateways share (`caches` of the "
    "service), `prefer-external` that one where the service has it. Without one, `external` finds and stores nothing.",
    default="prefer-external",
    expressions=False,
    values=("prefer-external", "external", "internal"),
)

Result = TypeVar("Result")


def where(use: Use, emit: Emitter) -> CacheWhere:
    """The value of `caching-type`; where the service has no external cache that is told."""
    given = emit.value(use, "caching-type")
    word = (given.const or "").strip().lower() if given is not None else ""
    if given is not None and word == "external":
        if not emit.unit.external_cache:
            emit.report(say.no_external_cache(given.span))
        return "external"
    return "internal" if word == "internal" else "prefer-external"


def cache_of(services: Services, where: CacheWhere) -> Cache | None:
    """The cache that is meant; None for an external one that the service does not have."""
    if where == "internal":
        return services.cache
    external = services.external_cache
    return external if external is not None or where == "external" else services.cache


def caching(exchange: Exchange) -> Caching:
    known = exchange.caching
    if known is None:
        known = exchange.caching = Caching()
    return known


async def timed(exchange: Exchange, work: Awaitable[Result]) -> Result | None:
    """Waits for a cache; its time counts as such in the record. A cache that fails fails no call: None. Whoever provides it
    tells the log, once and not with each call."""
    began = time.perf_counter()
    try:
        return await work
    except Refusal:
        return None
    finally:
        caching(exchange).waited_us += int((time.perf_counter() - began) * 1e6)


def digest(*parts: object) -> str:
    """A key of a fixed size for whatever makes it up."""
    try:
        data = orjson.dumps(parts, default=_text, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Half of a surrogate pair, or nested deeper than orjson writes.
        data = json.dumps(parts, default=_text, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def _text(value: object) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError


def duration(value: Value, emit: Emitter) -> ast.expr:
    """The seconds of an attribute `duration`, known now or computed in the call: what is left of a token's time may be
    nothing, or less."""
    return emit.number(value, "duration", 0 if value.const is not None else -LONGEST_S, LONGEST_S)


DURATION: Final = Attribute(
    "duration", "How long it is kept, in seconds; 0 keeps nothing.", "seconds", required=True
)
CACHE_RESPONSE: Final = Attribute(
    "cache-response",
    "Whether this answer is stored; without it one with the status 200 is.",
    "bool",
)


def write_store(
    use: Use, emit: Emitter, store: Callable[[Exchange, int, bool | None], Awaitable[None]]
) -> None:
    """How the policies that store answers compile: `store` is given the seconds, and what `cache-response` says."""
    seconds, wanted = emit.value(use, "duration"), emit.value(use, "cache-response")
    if seconds is None or ("cache-response" in use.attributes and wanted is None):
        return
    emit.site(use, seconds, wanted)
    emit.do(
        "await STORE(x, SECONDS, WANTED)",
        STORE=store,
        SECONDS=duration(seconds, emit),
        WANTED=emit.flag(use, "cache-response") if wanted is not None else None,
    )


def to_keep(response: ResponseState, wanted: bool | None) -> bool:
    return response.status == 200 if wanted is None else wanted


# --- a body that may still be arriving ----------------------------------------------------------------------------------

Store = Callable[[bytes], Coroutine[Any, Any, None]]


class WhenWhole:
    """Stores a body once all of it has come: when a policy reads it, else when it has gone to the client."""

    __slots__ = ("_load", "_services", "_store", "response")

    def __init__(self, services: Services, response: ResponseState, store: Store) -> None:
        self._services = services
        self._store: Store | None = store
        self.response = response
        load = response.body.load
        assert load is not None
        self._load = load
        response.body.load = self.load

    async def load(self) -> bytes:
        data = await self._load()
        self.keep(data)
        return data

    def keep(self, data: bytes) -> None:
        store, self._store = self._store, None
        if store is not None and len(data) <= MAX_ANSWER_BYTES:
            self._services.spawn(store(data))


async def store_whole(exchange: Exchange, response: ResponseState, store: Store) -> None:
    """Store the body of a response as it is at this place, without holding the response back for it."""
    body = response.body
    if body.data is None and _comes_at_once(response.headers) and not is_event_stream(response.headers):
        await body.read()
    if body.data is None:
        caching(exchange).keepers.append(WhenWhole(exchange.services, response, store))
    elif len(body.data) <= MAX_ANSWER_BYTES:
        await store(body.data)


def _comes_at_once(headers: Headers) -> bool:
    size = headers.get(b"content-length") or b""
    return size.isdigit() and int(size) <= _AT_ONCE_BYTES and b"content-encoding" not in headers
