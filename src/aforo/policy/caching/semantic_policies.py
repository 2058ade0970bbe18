"""The declarations that the two families of semantic caches share: `azure-openai-...` and `llm-...`."""

from __future__ import annotations

import ast

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.caching.caches import CACHE_RESPONSE, DURATION, LONGEST_S, SEMANTIC, write_store
from aforo.policy.caching.semantic import distance, look_up, store
from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.pipeline import Effects
from aforo.policy.scopes import INBOUND, Scope, Section
from aforo.policy.spec import Attribute, Child, Element, Text

_SCOPES = frozenset((Scope.GLOBAL, Scope.PRODUCT, Scope.API, Scope.OPERATION))
# Above it answers to other questions are likely.
_FAR = 0.2


def write_lookup(use: Use, emit: Emitter) -> None:
    threshold, backend = emit.value(use, "score-threshold"), emit.value(use, "embeddings-backend-id")
    system, count = emit.value(use, "ignore-system-messages"), emit.value(use, "max-message-count")
    emit.value(use, "embeddings-backend-auth")
    given = use.children.get("vary-by", ())
    vary_by = [v for v in (emit.text(each) for each in given) if v is not None]
    if threshold is None or backend is None or system is None or len(vary_by) != len(given):
        return
    if "max-message-count" in use.attributes and count is None:
        return
    furthest = _distance(threshold, emit)
    if furthest is None:
        return
    emit.site(use, threshold, backend, system, count, *vary_by)
    emit.await_effects(Effects(reads_request_body=True))
    emit.do(
        "await LOOK(x, FURTHEST, BACKEND, SYSTEM, COUNT, VARY)",
        LOOK=look_up,
        FURTHEST=furthest,
        BACKEND=backend,
        SYSTEM=emit.flag(use, "ignore-system-messages"),
        COUNT=emit.number(count, "max-message-count", 0, LONGEST_S) if count is not None else None,
        VARY=ast.Tuple([v.code for v in vary_by], ast.Load()),
    )


def _distance(threshold: Value, emit: Emitter) -> ast.expr | None:
    """A number known now, or one that is computed in the call; None: a mistake, reported."""
    if threshold.const is None:
        return emit.expr("F(V)", F=distance, V=threshold)
    try:
        known = distance(threshold.const)
    except FormatException:
        emit.report(say.bad_value(threshold.span, "score-threshold", "a number between 0.0 and 1.0"))
        return None
    if known > _FAR:
        emit.report(say.distance_threshold(threshold.span, f"{known:g}"))
    return emit.part(known)


def lookup_element(name: str, stored_by: str) -> Element:
    return Element(
        name,
        f"Answers a prompt with what `{stored_by}` has kept of one with nearly the same meaning, by the distance of "
        "their embeddings. The rest of inbound and the backend are left out then; outbound goes on after the "
        f"`{stored_by}`. Subscriptions, deployments and requests with other parameters have answers of their own.",
        write_lookup,
        sections=INBOUND,
        scopes=_SCOPES,
        attributes=(
            Attribute(
                "score-threshold",
                "How far apart two prompts may be: one minus the cosine of their embeddings. 0.0 is the same meaning; "
                "begin with 0.05.",
                required=True,
            ),
            Attribute(
                "embeddings-backend-id",
                "The backend that makes the embeddings; its URL is that of a deployment's embeddings.",
                required=True,
                backend=True,
            ),
            Attribute(
                "embeddings-backend-auth",
                "How the gateway shows who it is: with its own identity. Where it has none, the backend's credentials "
                "are what it has to show.",
                required=True,
                expressions=False,
                values=("system-assigned",),
            ),
            Attribute(
                "ignore-system-messages",
                "Whether only what follows the system's and the developer's messages is compared.",
                "bool",
                default="false",
            ),
            Attribute(
                "max-message-count",
                "With more messages than this the cache is not asked and keeps nothing.",
                "int",
            ),
        ),
        children=(
            Child(
                "vary-by",
                "A value for each of which there are answers of their own; several count together.",
                many=True,
                text=Text("The value."),
            ),
        ),
    )


def store_element(name: str, looked_up_by: str) -> Element:
    return Element(
        name,
        f"Keeps a model's answer for `{looked_up_by}`, without which nothing is stored. Streams are sent on as they come "
        "and kept at their end; whoever asks later gets the answer whole or as a stream, as he asks for it.",
        lambda use, emit: write_store(use, emit, store),
        sections=frozenset((Section.OUTBOUND,)),
        scopes=_SCOPES,
        attributes=(DURATION, CACHE_RESPONSE),
        stores=SEMANTIC,
    )
