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
from heapq import nsmallest
from operator import mul

MAX_ENTRIES = 4096
MAX_BYTES = 64 * 1024 * 1024
# The longest vectors that models make have 4,096 numbers.
MAX_DIMENSIONS = 16_384
# How many numbers a search compares one by one: 16 vectors at 1,536 numbers (40 us each), more where they are shorter and
# their signs say less. Signs are compared at 0.2 us a vector.
_COMPARED = 16 * 1536
_CLOSEST = 16
_ENTRY_BYTES = 512

_Place = tuple[str, int]


class _Entry:
    """A vector of length one, its signs as bits, and what it stands for."""

    __slots__ = ("expires", "signs", "size", "value", "vector")

    def __init__(self, vector: array[float], value: bytes, expires: float) -> None:
        self.vector = vector
        self.signs = signs_of(vector)
        self.value = value
        self.expires = expires
        self.size = len(value) + len(vector) * 5 + _ENTRY_BYTES


class _Partition:
    """Entries by number; `earliest` is when the first of them ends, or before that."""

    __slots__ = ("earliest", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, _Entry] = {}
        self.earliest = math.inf


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
        # By name and number of dimensions: vectors of another model cannot be compared.
        self._partitions: dict[_Place, _Partition] = {}
        # Entries by number, the longest unused first, with their partitions.
        self._order: OrderedDict[int, _Place] = OrderedDict()
        self._next = 0
        self._bytes = 0

    async def add(self, partition: str, vector: Sequence[float], value: bytes, ttl_s: float) -> None:
        unit = unit_of(vector)
        if unit is None or ttl_s <= 0:
            return
        entry = _Entry(unit, value, self._clock() + ttl_s)
        if entry.size > self._max_bytes:
            return
        number = self._next = self._next + 1
        place = (partition, len(unit))
        held = self._partitions.setdefault(place, _Partition())
        held.entries[number] = entry
        held.earliest = min(held.earliest, entry.expires)
        self._order[number] = place
        self._bytes += entry.size
        while self._bytes > self._max_bytes or len(self._order) > self._max_entries:
            self._drop(next(iter(self._order)))

    async def search(self, partition: str, vector: Sequence[float], max_distance: float) -> bytes | None:
        held = self._partitions.get((partition, len(vector)))
        unit = unit_of(vector)
        if held is None or unit is None:
            return None
        if held.earliest <= self._clock():
            self._forget(held)
        entries = held.entries
        near = list(entries)
        if len(near) > (most := most_compared(len(unit))):
            signs = signs_of(unit)
            differ = [(entry.signs ^ signs).bit_count() for entry in entries.values()]
            near = [near[at] for at in nsmallest(most, range(len(near)), key=differ.__getitem__)]
        best, distance = 0, math.inf
        numbers = unit.tolist()
        for number in near:
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

    def _forget(self, held: _Partition) -> None:
        """Drop what has ended."""
        now = self._clock()
        for number in [n for n, entry in held.entries.items() if entry.expires <= now]:
            self._drop(number)
        held.earliest = min((entry.expires for entry in held.entries.values()), default=math.inf)

    def _drop(self, number: int) -> None:
        place = self._order.pop(number)
        entries = self._partitions[place].entries
        self._bytes -= entries.pop(number).size
        if not entries:
            del self._partitions[place]


def most_compared(dimensions: int) -> int:
    """How many vectors of this length a search compares number by number."""
    return max(_CLOSEST, _COMPARED // dimensions)


def unit_of(vector: Sequence[float]) -> array[float] | None:
    """The direction of a vector; None where it has none, or is no vector."""
    if not 0 < len(vector) <= MAX_DIMENSIONS:
        return None
    length = math.hypot(*vector)
    if not 0.0 < length < math.inf:
        return None
    return array("f", [x / length for x in vector])


def signs_of(vector: Sequence[float]) -> int:
    """One bit for each number: vectors of nearly the same direction have nearly the same."""
    return int("".join(["1" if x > 0 else "0" for x in vector]), 2)
