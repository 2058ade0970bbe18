"""What the policies that cache have in common: which cache, the keys of answers, their form, storing one whole.

It knows no element. Values are value_codec.py's, semantic caches semantic.py's.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
import orjson

from aforo.errors import Refusal
from aforo.messages import HOP_BY_HOP, Headers
from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Body, Caching, Exchange, FromCache, ResponseState, Services
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

# Asks for a part of an answer, or for one only if it has changed: what is stored must be whole.
_CONDITIONS: Final = (
    b"cache-control",
    b"pragma",
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"if-unmodified-since",
    b"if-range",
    b"range",
)
# Of one connection, of one client, of the encoding on the wire, or written anew for whoever gets it.
_NOT_KEPT: Final = HOP_BY_HOP | {
    b"content-length",
    b"content-encoding",
    b"set-cookie",
    b"date",
    b"age",
    b"cache-control",
    b"pragma",
    b"expires",
}
_VERSION: Final = 1
_log = logging.getLogger(__name__)

CACHING_TYPE: Final = Attribute(
    "caching-type",
    "Which cache: `internal` is the gateway's own memory, `external` one that all gateways share, `prefer-external` "
    "that one where it is connected. None can be connected yet: `external` finds and stores nothing.",
    default="prefer-external",
    expressions=False,
    values=("prefer-external", "external", "internal"),
)

Result = TypeVar("Result")


def where(use: Use, emit: Emitter) -> CacheWhere:
    """The value of `caching-type`; an external cache is told to be none."""
    given = emit.value(use, "caching-type")
    word = (given.const or "").strip().lower() if given is not None else ""
    if given is not None and word == "external":
        emit.report(say.no_external_cache(given.span))
        return "external"
    return "internal" if word == "internal" else "prefer-external"


def cache_of(services: Services, where: CacheWhere) -> Cache | None:
    """The cache that is meant; None for an external one that is not connected."""
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
    """Waits for a cache; its time counts as such in the record. A cache that fails fails no call: None."""
    began = time.perf_counter()
    try:
        return await work
    except Refusal as refusal:
        _log.warning("a cache does not work: %s", refusal.message)
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


# --- answers by key ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lookup:
    """A `cache-lookup` as it stands in a document; what expressions give comes with each call."""

    headers: tuple[bytes, ...]
    parameters: tuple[str, ...]
    where: CacheWhere


@dataclass(frozen=True, slots=True)
class Missing:
    """What a `cache-lookup` did not find: where the answer belongs, and what the client is told about keeping it."""

    key: str
    where: CacheWhere
    downstream: str
    must_revalidate: bool


class Entry(msgspec.Struct, array_like=True):
    """A kept answer. `stored_ns` is unix time, `duration` seconds."""

    version: int
    stored_ns: int
    duration: int
    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


_ENTRIES: Final = msgspec.msgpack.Decoder(Entry)


def read_entry(data: bytes | None) -> Entry | None:
    """None for nothing, and for bytes that are no answer of ours."""
    if data is None:
        return None
    try:
        entry = _ENTRIES.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return entry if entry.version == _VERSION and 200 <= entry.status <= 999 else None


def write_entry(exchange: Exchange, response: ResponseState, body: bytes, duration: int) -> bytes:
    headers = [item for item in response.headers if item[0] not in _NOT_KEPT]
    entry = Entry(
        _VERSION, exchange.started_ns, duration, response.status, response.reason or "", headers, body
    )
    return msgspec.msgpack.encode(entry)


async def look_up(
    exchange: Exchange,
    lookup: Lookup,
    by_developer: bool,
    by_groups: bool,
    downstream: str,
    must_revalidate: bool,
    private: bool,
) -> None:
    """`cache-lookup`. FromCache when there is an answer; else `cache-store` may keep the one to come."""
    request = exchange.request
    if request.method != "GET" or (b"authorization" in request.headers and not private):
        return
    cache = cache_of(exchange.services, lookup.where)
    if cache is None:
        return
    state = caching(exchange)
    key = answer_key(exchange, lookup, by_developer=by_developer, by_groups=by_groups)
    missing = Missing(key, lookup.where, downstream, must_revalidate)
    entry = read_entry(await timed(exchange, cache.get(key)))
    if entry is None:
        state.outcome = "miss"
        state.pending[ANSWERS] = missing
        for name in _CONDITIONS:
            request.headers.remove(name)
        return
    state.outcome = "hit"
    response = ResponseState(entry.status, entry.reason, Headers(entry.headers), Body(entry.body))
    tell_downstream(response.headers, missing, entry.duration)
    if downstream != "none":
        age = max(0, (exchange.started_ns - entry.stored_ns) // 1_000_000_000)
        response.headers.set(b"age", b"%d" % age)
    exchange.response = response
    raise FromCache(ANSWERS)


def answer_key(exchange: Exchange, lookup: Lookup, *, by_developer: bool, by_groups: bool) -> str:
    """Everything that tells two answers apart: API, operation, product, backend, path, the query parameters that the
    operation's template or `vary-by-query-parameter` names, and the rest of what to vary by."""
    request = exchange.request
    api, operation, product = exchange.api, exchange.operation, exchange.product
    query: dict[str, list[str]] = {}
    wanted = {*lookup.parameters, *template_parameters(operation.url_template if operation else "")}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        # As it is spelled: the backend may not know a parameter in another spelling.
        if name.lower() in wanted:
            query.setdefault(name, []).append(value)
    user = exchange.user
    developer: list[str] | None = None
    if by_developer:
        # A key that belongs to nobody is a developer of its own.
        subscription = exchange.subscription
        developer = ["user", user.id] if user else ["subscription", subscription.id if subscription else ""]
    groups = sorted(g.id for g in user.groups) if by_groups and user else None
    backend = exchange.backend_id or exchange.backend_base_url or (api.service_url if api else "")
    return "answer:" + digest(
        [api.id, api.revision] if api else None,
        operation.id if operation else None,
        product.id if product else None,
        backend,
        request.path,
        sorted(query.items()),
        [request.headers.joined(name) for name in lookup.headers],
        developer,
        groups,
    )


def template_parameters(template: str) -> list[str]:
    """The query parameters that an operation's URL template names, in lower case."""
    return [name.lower() for name, _ in parse_qsl(template.partition("?")[2], keep_blank_values=True)]


def tell_downstream(headers: Headers, missing: Missing, duration: int) -> None:
    """What the client and the caches on the way to it may do with the answer."""
    headers.remove(b"pragma")
    headers.remove(b"expires")
    if missing.downstream == "none":
        headers.set(b"cache-control", b"no-store")
        return
    control = f"{missing.downstream}, max-age={duration}"
    headers.set(
        b"cache-control", (control + (", must-revalidate" if missing.must_revalidate else "")).encode()
    )


async def store_answer(exchange: Exchange, seconds: int, wanted: bool | None) -> None:
    """`cache-store`: keeps the answer for the `cache-lookup` that missed it."""
    state = exchange.caching
    missing: Missing | None = state.pending.pop(ANSWERS, None) if state is not None else None
    response = exchange.response
    if missing is None or response is None or not to_keep(response, wanted) or seconds <= 0:
        return
    cache = cache_of(exchange.services, missing.where)
    assert cache is not None, "without a cache nothing is looked up"
    kept = ResponseState(response.status, response.reason, response.headers.copy(), Body(b""))
    tell_downstream(response.headers, missing, seconds)

    async def store(body: bytes) -> None:
        await timed(
            exchange, cache.put(missing.key, write_entry(exchange, kept, body, seconds), float(seconds))
        )

    await store_whole(exchange, response, store)


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
    if body.data is None and _comes_at_once(response.headers):
        await body.read()
    if body.data is None:
        caching(exchange).keepers.append(WhenWhole(exchange.services, response, store))
    elif len(body.data) <= MAX_ANSWER_BYTES:
        await store(body.data)


def _comes_at_once(headers: Headers) -> bool:
    size = headers.get(b"content-length") or b""
    return size.isdigit() and int(size) <= _AT_ONCE_BYTES and b"content-encoding" not in headers
