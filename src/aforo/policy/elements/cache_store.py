"""`cache-store`: keeps the answer to a GET for which `cache-lookup` found none."""

from __future__ import annotations

from aforo.policy.caching.answers import store_answer
from aforo.policy.caching.caches import ANSWERS, CACHE_RESPONSE, DURATION, write_store
from aforo.policy.emit import Emitter, Use
from aforo.policy.scopes import Section
from aforo.policy.spec import Element


def write(use: Use, emit: Emitter) -> None:
    write_store(use, emit, store_answer)


ELEMENT = Element(
    "cache-store",
    "Keeps the answer, as it is at this place, for `cache-lookup`. Without a `cache-lookup` that missed it nothing is "
    "stored.",
    write,
    sections=frozenset((Section.OUTBOUND,)),
    attributes=(DURATION, CACHE_RESPONSE),
    stores=ANSWERS,
)
