"""Values by key: what the policies of the value cache do in a call. It knows no element."""

from __future__ import annotations

from typing import Any, Final

from aforo.csharp.runtime.exceptions import ArgumentNullException
from aforo.errors import Refusal
from aforo.policy.caching.caches import cache_of, digest, timed
from aforo.policy.caching.value_codec import decode, encode
from aforo.policy.exchange import Exchange, LastError, PolicyFailure, ResponseState
from aforo.policy.running import taint, untaint
from aforo.policy.services import CacheWhere

_LONGEST_KEY: Final = 256


async def get(exchange: Exchange, key: str | None, where: CacheWhere, variable: str) -> bool:
    """`cache-lookup-value`: the value into the variable; False when there is none, and nothing has changed."""
    name = _name(key)
    cache = cache_of(exchange.services, where)
    kept = decode(await timed(exchange, cache.get(name))) if cache is not None else None
    if kept is None:
        return False
    exchange.variables[variable] = kept.value
    if kept.secret:
        taint(exchange, variable)
    else:
        untaint(exchange, variable)
    return True


async def put(
    exchange: Exchange, key: str | None, value: Any, seconds: int, where: CacheWhere, secret: bool
) -> None:
    """`cache-store-value`. A response is kept whole; a value of a type that cannot be kept is an InvalidCast."""
    name = _name(key)
    if isinstance(value, ResponseState):
        await value.body.read()
    data = encode(value, secret=secret)
    cache = cache_of(exchange.services, where)
    if cache is None or data is None:
        return
    if seconds > 0:
        await timed(exchange, cache.put(name, data, float(seconds)))
    else:
        await timed(exchange, cache.remove(name))


async def remove(exchange: Exchange, key: str | None, where: CacheWhere, strict: bool) -> None:
    """`cache-remove-value`. `strict`: a cache that does not work is a failure."""
    name = _name(key)
    cache = cache_of(exchange.services, where)
    if cache is None:
        return
    if not strict:
        await timed(exchange, cache.remove(name))
        return
    try:
        await cache.remove(name)
    except Refusal as refusal:
        message = f"The value could not be removed from the cache. {refusal.message}"
        raise PolicyFailure(LastError("cache-remove-value", "CacheRemovalError", message)) from refusal


def _name(key: str | None) -> str:
    """The key in the cache: apart from the keys of answers, and never longer than it must be."""
    if key is None:
        raise ArgumentNullException("Value cannot be null.\r\nParameter name: key")
    return "value:" + (key if len(key) <= _LONGEST_KEY else digest(key))
