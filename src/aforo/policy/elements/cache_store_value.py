"""`cache-store-value`: keeps a value under a key, with its type."""

from __future__ import annotations

from aforo.policy.caching.caches import CACHING_TYPE, DURATION, duration, where
from aforo.policy.caching.values import put
from aforo.policy.emit import Emitter, Use
from aforo.policy.pipeline import Effects
from aforo.policy.spec import Attribute, Element


def write(use: Use, emit: Emitter) -> None:
    key, seconds = emit.value(use, "key"), emit.value(use, "duration")
    given = use.attributes.get("value")
    declared = next(a for a in use.spec.attributes if a.name == "value")
    value = emit.compile(given, declared, "value", "object") if given is not None else None
    if key is None or seconds is None or value is None:
        return
    site = emit.site(use, key, value, seconds)
    if given is not None and "context.Response" in given.text:
        # It may be the answer itself, which is kept whole: its body is read then.
        emit.facts.effects |= Effects(reads_response_body=True)
    secret = emit.expr("SITE.tainted(x)", SITE=site) if value.reads else emit.part(value.secret)
    emit.do(
        "await PUT(x, KEY, VALUE, SECONDS, WHERE, SECRET)",
        PUT=put,
        KEY=key,
        VALUE=value,
        SECONDS=duration(seconds, emit),
        WHERE=where(use, emit),
        SECRET=secret,
    )


ELEMENT = Element(
    "cache-store-value",
    "Keeps a value for `cache-lookup-value`, with its type: text, numbers, truth values, times, GUIDs, bytes, JSON, "
    "lists, dictionaries and responses. One of more than 4 MB is not kept.",
    write,
    attributes=(
        Attribute("key", "The key under which it is found again.", required=True),
        Attribute("value", "The value; what an expression gives keeps its type.", required=True),
        DURATION,
        CACHING_TYPE,
    ),
)
