"""A vector store on the server that gateways share (external_cache.py): any Valkey or Redis will do, no module for search.

A partition is an index of signs (one bit for each number); those nearest to the asked one are fetched and compared number
by number, as in vectors.py. All of it is sealed. The server forgets what has ended, and what is soonest to end when a
partition is full. It knows no policy and no model.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from heapq import nsmallest
from operator import mul
from typing import Final

from aforo.egress.valkey import Script
from aforo.gateway.external_cache import ExternalCache
from aforo.gateway.vectors import most_compared, signs_of, unit_of

# The index of a partition goes over the wire with each search: 120 KB at 1,536 numbers.
MAX_ENTRIES: Final = 512
# KEYS: index, order. ARGV: id, sealed signs, sealed vector, sealed value, milliseconds to live, most entries.
_ADD: Final = Script("""
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local function forget(id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('DEL', KEYS[1] .. ':v:' .. id, KEYS[1] .. ':e:' .. id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ms)) do forget(id) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ms)
while redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) do forget(redis.call('ZPOPMIN', KEYS[2])[1]) end
local ttl = tonumber(ARGV[5])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ms + ttl, ARGV[1])
redis.call('SET', KEYS[1] .. ':v:' .. ARGV[1], ARGV[3], 'PX', ttl)
redis.call('SET', KEYS[1] .. ':e:' .. ARGV[1], ARGV[4], 'PX', ttl)
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end
return 1
""")


class ExternalVectors:
    """The `VectorStore` port. Entries are kept behind the call."""

    __slots__ = ("_cache", "_secrecy")

    def __init__(self, cache: ExternalCache) -> None:
        self._cache = cache
        self._secrecy = cache.secrecy

    async def add(self, partition: str, vector: Sequence[float], value: bytes, ttl_s: float) -> None:
        unit = unit_of(vector)
        if unit is None or ttl_s <= 0:
            return
        index = self._index(partition, len(unit))
        number = os.urandom(8).hex()
        signs = signs_of(unit).to_bytes((len(unit) + 7) // 8, "big")
        seal = self._secrecy.seal
        arguments = (
            number,
            seal(signs, f"{index}:{number}"),
            seal(unit.tobytes(), f"{index}:v:{number}"),
            seal(value, f"{index}:e:{number}"),
            max(1, int(ttl_s * 1000)),
            MAX_ENTRIES,
        )
        self._cache.run(_ADD, (index, f"{index}:order"), arguments)

    async def search(self, partition: str, vector: Sequence[float], max_distance: float) -> bytes | None:
        unit = unit_of(vector)
        if unit is None:
            return None
        index = self._index(partition, len(unit))
        near = self._nearest(index, await self._cache.ask("HGETALL", index), unit)
        if not near:
            return None
        vectors = await self._cache.ask("MGET", *(f"{index}:v:{number}" for number in near))
        numbers = unit.tolist()
        best, distance = "", 2.5
        for number, sealed in zip(near, vectors, strict=True):
            held = self._secrecy.open(sealed, f"{index}:v:{number}")
            if held is None or len(held) != 4 * len(numbers):
                continue  # it has ended meanwhile
            found = 1.0 - sum(map(mul, array("f", held), numbers))
            if found < distance:
                best, distance = number, found
        # What is the same direction is at 0, but for the rounding of single precision.
        if not best or distance > max_distance + 1e-6:
            return None
        name = f"{index}:e:{best}"
        return self._secrecy.open(await self._cache.ask("GET", name), name)

    def _index(self, partition: str, dimensions: int) -> str:
        # Vectors of another model cannot be compared.
        return self._secrecy.name(f"vectors:{dimensions}:{partition}")

    def _nearest(self, index: str, entries: list[bytes], unit: array[float]) -> list[str]:
        """The ids whose signs differ least."""
        asked = signs_of(unit)
        found: list[tuple[int, str]] = []
        for at in range(0, len(entries) - 1, 2):
            number = entries[at].decode("latin-1")
            signs = self._secrecy.open(entries[at + 1], f"{index}:{number}")
            if signs is not None:
                found.append(((int.from_bytes(signs, "big") ^ asked).bit_count(), number))
        return [number for _, number in nsmallest(most_compared(len(unit)), found)]
