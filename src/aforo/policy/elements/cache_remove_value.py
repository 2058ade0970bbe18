"""`cache-remove-value`: forgets the value under a key."""

from __future__ import annotations

from aforo.policy.caching.caches import CACHING_TYPE, where
from aforo.policy.caching.values import remove
from aforo.policy.emit import Emitter, Use
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    key, strict = emit.value(use, "key"), emit.value(use, "fail-on-cache-removal-error")
    if key is None or strict is None:
        return
    emit.site(use, key, strict)
    emit.do(
        "await REMOVE(x, KEY, WHERE, STRICT)",
        REMOVE=remove,
        KEY=key,
        WHERE=where(use, emit),
        STRICT=emit.flag(use, "fail-on-cache-removal-error"),
    )


ELEMENT = Element(
    "cache-remove-value",
    "Removes the value that `cache-store-value` has kept under a key.",
    write,
    attributes=(
        Attribute("key", "The key of the value.", required=True),
        CACHING_TYPE,
        Attribute(
            "fail-on-cache-removal-error",
            "Whether a cache that does not work ends the call in on-error.",
            "bool",
            default="false",
        ),
    ),
)
