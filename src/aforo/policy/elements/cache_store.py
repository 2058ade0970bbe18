"""`cache-store`: keeps the answer to a GET for which `cache-lookup` found none."""

from __future__ import annotations

from aforo.policy.cached_answers import store_answer
from aforo.policy.caching import ANSWERS, CACHE_RESPONSE, DURATION, duration
from aforo.policy.emit import Emitter, Use
from aforo.policy.scopes import Section
from aforo.policy.spec import Element


def write(use: Use, emit: Emitter) -> None:
    seconds, wanted = emit.value(use, "duration"), emit.value(use, "cache-response")
    if seconds is None or ("cache-response" in use.attributes and wanted is None):
        return
    emit.site(use, seconds, wanted)
    emit.do(
        "await STORE(x, SECONDS, WANTED)",
        STORE=store_answer,
        SECONDS=duration(seconds, emit),
        WANTED=emit.flag(use, "cache-response") if wanted is not None else None,
    )


ELEMENT = Element(
    "cache-store",
    "Keeps the answer, as it is at this place, for `cache-lookup`. Without a `cache-lookup` that missed it nothing is "
    "stored.",
    write,
    sections=frozenset((Section.OUTBOUND,)),
    attributes=(DURATION, CACHE_RESPONSE),
    stores=ANSWERS,
)
