"""A vector store in this process's own memory: bounded in entries and bytes, the longest unused goes first.

A search is exact among the vectors whose signs differ least from the asked one's; with few vectors that is all of them.
It knows no policy and no model.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import mul

MAX_ENTRIES = 4096
MAX_BYTES = 64 * 1024 * 1024
# The longest vectors that models make have 4,096 numbers.
MAX_DIMENSIONS = 16_384
# How many vectors are compared number by number (40 us each at 1,536 numbers); signs are compared at 0.15 us each.
CLOSEST = 32
_ENTRY_BYTES = 512


class _Entry:
    """A vector of length one, its signs as bits, and what it stands for."""

    __slots__ = ("expires", "signs", "size", "value", "vector")

    def __init__(self, vector: array[float], value: bytes, expires: float) -> None:
        self.vector = vector
        self.signs = _signs(vector)
        self.value = value
        self.expires = expires
        self.size = len(value) + len(vector) * 5 + _ENTRY_BYTES


class MemoryVectors:
    """The `VectorStore` port, in process. `clock` gives seconds that only go forward."""

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._partitions: dict[str, dict[int, _Entry]] = {}
        # Entries by number, the longest unused first, with their partitions.
        self._order: OrderedDict[int, str] = OrderedDict()
        self._next = 0
        self._bytes = 0

    async def add(self, partition: str, vector: Sequence[float], value: bytes, ttl_s: float) -> None:
        unit = _unit(vector)
        if unit is None or ttl_s <= 0:
            return
        entry = _Entry(unit, value, self._clock() + ttl_s)
        if entry.size > self._max_bytes:
            return
        number = self._next = self._next + 1
        self._partitions.setdefault(partition, {})[number] = entry
        self._order[number] = partition
        self._bytes += entry.size
        while self._bytes > self._max_bytes or len(self._order) > self._max_entries:
            self._drop(next(iter(self._order)))

    async def search(self, partition: str, vector: Sequence[float], max_distance: float) -> bytes | None:
        entries = self._partitions.get(partition)
        unit = _unit(vector)
        if not entries or unit is None:
            return None
        now = self._clock()
        signs = _signs(unit)
        size = len(unit)
        near: list[tuple[int, int]] = []
        old: list[int] = []
        for number, entry in entries.items():
            if entry.expires <= now:
                old.append(number)
            elif len(entry.vector) == size:
                near.append(((entry.signs ^ signs).bit_count(), number))
        for number in old:
            self._drop(number)
        if len(near) > CLOSEST:
            near.sort()
            del near[CLOSEST:]
        best, distance = 0, math.inf
        numbers = unit.tolist()
        for _, number in near:
            found = 1.0 - sum(map(mul, entries[number].vector, numbers))
            if found < distance:
                best, distance = number, found
        # What is the same direction is at 0, but for the rounding of single precision.
        if not best or distance > max_distance + 1e-6:
            return None
        self._order.move_to_end(best)
        return entries[best].value

    def __len__(self) -> int:
        return len(self._order)

    def _drop(self, number: int) -> None:
        partition = self._order.pop(number)
        entries = self._partitions[partition]
        self._bytes -= entries.pop(number).size
        if not entries:
            del self._partitions[partition]


def _unit(vector: Sequence[float]) -> array[float] | None:
    """The direction of a vector; None where it has none, or is no vector."""
    if not 0 < len(vector) <= MAX_DIMENSIONS:
        return None
    length = math.hypot(*vector)
    if not 0.0 < length < math.inf:
        return None
    return array("f", [x / length for x in vector])


def _signs(vector: Sequence[float]) -> int:
    return int("".join(["1" if x > 0 else "0" for x in vector]), 2)
