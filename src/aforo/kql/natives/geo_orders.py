"""The order in which Kusto hands out cells that it keeps in a set: that of its hash table."""

from __future__ import annotations

from collections.abc import Iterable

_BUCKETS = 8


def as_from_a_set(texts: Iterable[str]) -> list[str]:
    """Up to eight different texts as they come out of a table of eight buckets, hashed by FNV-1a.

    Buckets come in the order of their first texts; in each the latest text is the first one. The reference's examples
    of neighbours (of geohashes, of S2 cells) show it.
    """
    buckets: dict[int, list[str]] = {}
    for text in dict.fromkeys(texts):
        buckets.setdefault(_fnv(text.encode()) % _BUCKETS, []).insert(0, text)
    return [text for bucket in buckets.values() for text in bucket]


def _fnv(data: bytes) -> int:
    value = 14_695_981_039_346_656_037
    for byte in data:
        value = (value ^ byte) * 1_099_511_628_211 % (1 << 64)
    return value
