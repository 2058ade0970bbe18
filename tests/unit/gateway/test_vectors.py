"""The vector store of a gateway: nearest within a partition, bounded, forgetting."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from aforo.gateway.vectors import MemoryVectors, most_compared


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def turned(angle: float) -> list[float]:
    return [math.cos(angle), math.sin(angle), 0.0]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_nearest_within_the_distance_is_found() -> None:
    store = MemoryVectors()
    run(store.add("p", turned(0.4), b"far", 60))
    run(store.add("p", [3 * x for x in turned(0.1)], b"near", 60))
    assert run(store.search("p", turned(0.0), 0.2)) == b"near"
    # 1 - cos(0.1) is 0.005.
    assert run(store.search("p", turned(0.0), 0.004)) is None
    assert run(store.search("p", turned(0.1), 0.0)) == b"near"
    assert run(store.search("p", turned(0.0), 0.006)) == b"near"


def test_partitions_and_lengths_do_not_mix() -> None:
    store = MemoryVectors()
    run(store.add("p", [1.0, 0.0], b"one", 60))
    assert run(store.search("q", [1.0, 0.0], 1.0)) is None
    assert run(store.search("p", [1.0, 0.0, 0.0], 1.0)) is None


@pytest.mark.parametrize(
    "vector", [[], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1.7e308, 1.7e308], [1.0] * 20_000]
)
def test_what_has_no_direction_is_not_kept_and_finds_nothing(vector: list[float]) -> None:
    store = MemoryVectors()
    run(store.add("p", vector, b"x", 60))
    assert len(store) == 0
    run(store.add("p", [1.0, 1.0], b"x", 60))
    assert run(store.search("p", vector, 1.0)) is None


def test_entries_end_with_their_time() -> None:
    clock = Clock()
    store = MemoryVectors(clock=clock)
    run(store.add("p", [1.0, 0.0], b"x", 10))
    run(store.add("p", [1.0, 0.0], b"never", 0))
    clock.now = 9.9
    assert run(store.search("p", [1.0, 0.0], 0.1)) == b"x"
    clock.now = 10.0
    assert run(store.search("p", [1.0, 0.0], 0.1)) is None
    assert len(store) == 0


def test_the_longest_unused_goes_first() -> None:
    store = MemoryVectors(max_entries=2)
    run(store.add("p", [1.0, 0.0], b"a", 60))
    run(store.add("p", [0.0, 1.0], b"b", 60))
    assert run(store.search("p", [1.0, 0.0], 0.1)) == b"a"
    run(store.add("q", [1.0, 0.0], b"c", 60))
    assert len(store) == 2
    assert run(store.search("p", [0.0, 1.0], 0.1)) is None
    assert run(store.search("p", [1.0, 0.0], 0.1)) == b"a"


def test_bytes_are_bounded() -> None:
    store = MemoryVectors(max_bytes=10_000)
    for _ in range(20):
        run(store.add("p", [1.0, 0.0], b"x" * 1000, 60))
    assert len(store) == 6
    run(store.add("p", [1.0, 0.0], b"x" * 20_000, 60))
    assert len(store) == 6


def test_among_many_the_nearest_is_found_by_its_signs() -> None:
    chance = random.Random(7)
    many = most_compared(256) * 4
    # As embeddings are: most of a vector is common to all.
    common = [chance.gauss(0, 1) for _ in range(256)]
    known = [[c + chance.gauss(0, 0.8) for c in common] for _ in range(many)]
    store = MemoryVectors()
    for at, vector in enumerate(known):
        run(store.add("p", vector, b"%d" % at, 60))
    for at in range(0, many, 16):
        asked = [x + chance.gauss(0, 0.25) for x in known[at]]
        assert run(store.search("p", asked, 0.1)) == b"%d" % at


def test_short_vectors_whose_signs_are_all_alike_are_compared_themselves() -> None:
    store = MemoryVectors()
    for n in range(89, 0, -1):
        run(store.add("p", turned(math.radians(n)), b"%d" % n, 60))
    for n in (1, 40, 89):
        assert run(store.search("p", turned(math.radians(n)), 0.0)) == b"%d" % n
