"""`cache-lookup`: answers a GET out of the cache, where `cache-store` has put the answer to the same request."""

from __future__ import annotations

import ast

from aforo.csharp.runtime.exceptions import FormatException
from aforo.policy import diagnostics as say
from aforo.policy.caching.answers import Lookup, look_up
from aforo.policy.caching.caches import CACHING_TYPE, where
from aforo.policy.emit import Emitter, Use
from aforo.policy.running import header_name, word
from aforo.policy.scopes import INBOUND
from aforo.policy.spec import Attribute, Child, Element, Text

DOWNSTREAM = ("none", "private", "public")
_WORDS = frozenset(DOWNSTREAM)


def write(use: Use, emit: Emitter) -> None:
    downstream = emit.value(use, "downstream-caching-type")
    names = {child: _names(use, child, emit) for child in ("vary-by-header", "vary-by-query-parameter")}
    given = [emit.value(use, name) for name in _FLAGS]
    headers: list[bytes] = []
    for name in names["vary-by-header"]:
        try:
            headers.append(header_name(name))
        except FormatException:
            emit.report(
                say.bad_value(use.children["vary-by-header"][0].span, "vary-by-header", "a header's name")
            )
            return
    if downstream is None or any(v is None for v in given):
        return
    lookup = Lookup(
        tuple(headers),
        tuple(name.lower() for name in names["vary-by-query-parameter"]),
        where(use, emit),
    )
    emit.site(use, downstream, *given)
    developer, groups, must_revalidate, private = (emit.flag(use, name) for name in _FLAGS)
    kind: ast.expr
    if downstream.const is not None:
        kind = emit.part(downstream.const.strip().lower())
    else:
        kind = emit.expr("F(V, N, W)", F=word, V=downstream, N="downstream-caching-type", W=_WORDS)
    emit.do(
        "await LOOK(x, LOOKUP, DEVELOPER, GROUPS, DOWNSTREAM, MUST, PRIVATE)",
        LOOK=look_up,
        LOOKUP=lookup,
        DEVELOPER=developer,
        GROUPS=groups,
        DOWNSTREAM=kind,
        MUST=must_revalidate,
        PRIVATE=private,
    )


def _names(use: Use, child: str, emit: Emitter) -> list[str]:
    """The names in the children of that kind; each may hold several, with semicolons between them."""
    values = [emit.text(each) for each in use.children.get(child, ())]
    texts = [v.const for v in values if v is not None and v.const is not None]
    return [name.strip() for text in texts for name in text.split(";") if name.strip()]


_FLAGS = (
    "vary-by-developer",
    "vary-by-developer-groups",
    "must-revalidate",
    "allow-private-response-caching",
)

ELEMENT = Element(
    "cache-lookup",
    "Answers a GET with what `cache-store` has kept of an earlier one. The rest of inbound and the backend are left out "
    "then; outbound goes on after the `cache-store`.",
    write,
    sections=INBOUND,
    attributes=(
        Attribute("vary-by-developer", "Whether each user has answers of his own.", "bool", required=True),
        Attribute(
            "vary-by-developer-groups",
            "Whether each set of groups of users has its own.",
            "bool",
            required=True,
        ),
        CACHING_TYPE,
        Attribute(
            "downstream-caching-type",
            "Who else may keep the answer, as `Cache-Control` tells: nobody, the client, or everybody on the way.",
            default="none",
            values=DOWNSTREAM,
        ),
        Attribute(
            "must-revalidate",
            "Whether `Cache-Control` forbids the use of what has become too old, where somebody may keep it.",
            "bool",
            default="true",
        ),
        Attribute(
            "allow-private-response-caching",
            "Whether requests with an `Authorization` header are answered from the cache as well.",
            "bool",
            default="false",
        ),
    ),
    children=(
        Child(
            "vary-by-header",
            "A request header with whose value answers differ.",
            many=True,
            text=Text("The header's name.", "name", required=True, expressions=False),
        ),
        Child(
            "vary-by-query-parameter",
            "A query parameter with whose value answers differ; several with semicolons between them. Parameters that "
            "the operation's URL template names always count.",
            many=True,
            text=Text("The parameter's name.", "name", required=True, expressions=False),
        ),
    ),
)
