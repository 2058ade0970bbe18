"""Answers by key: what `cache-lookup` and `cache-store` do in a call. It knows no element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from aforo.messages import HOP_BY_HOP, Headers
from aforo.policy.caching.caches import ANSWERS, cache_of, caching, digest, store_whole, timed, to_keep
from aforo.policy.exchange import Body, Exchange, FromCache, ResponseState
from aforo.policy.services import CacheWhere

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
    response = ResponseState(entry.status, entry.reason, Headers.of(entry.headers), Body(entry.body))
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
