"""`xml-to-json`: an XML body as JSON."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use, Value
from aforo.policy.exchange import Exchange, RequestState, ResponseState
from aforo.policy.running import new_body, word
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element
from aforo.policy.xml_json import NotConverted, to_json, wants

_KINDS = ("javascript-friendly", "direct")
_APPLY = ("always", "content-type-xml")
_ARRAYS = ("always-array-child-elements", "always-array-children")


def convert(
    exchange: Exchange,
    message: RequestState | ResponseState,
    kind: str,
    always: bool,
    accept: bool,
    arrays: bool,
) -> None:
    """ConversionFailed for a body that is no XML, or has a document type."""
    data = message.body.data or b""
    if not data.strip() or not wants(exchange, message, always, accept, "xml", "json"):
        return
    new_body(
        message,
        NotConverted.guard("xml-to-json", lambda: to_json(data, friendly=kind != "direct", arrays=arrays)),
    )
    message.headers.set(b"content-type", b"application/json")


def write(use: Use, emit: Emitter) -> None:
    kind, apply = emit.value(use, "kind"), emit.value(use, "apply")
    arrays = _ARRAYS[1] if _ARRAYS[1] in use.attributes else _ARRAYS[0]
    flags = [emit.value(use, n) for n in ("consider-accept-header", arrays)]
    if kind is None or apply is None:
        return
    emit.site(use, kind, apply, *flags)

    def chosen(value: Value, name: str, words: tuple[str, ...]) -> object:
        if value.const is not None:
            return value.const.strip().lower()
        return emit.expr("F(V, N, W)", F=word, V=value, N=name, W=frozenset(words))

    always, accept = emit.local("always"), emit.local("accept")
    emit.do(f"{always} = APPLY == 'always'", APPLY=chosen(apply, "apply", _APPLY))
    emit.do(f"{accept} = ACCEPT", ACCEPT=emit.flag(use, "consider-accept-header"))
    message = emit.message_body(
        lambda message: emit.expr(f"F(x, M, {always}, {accept}, 'xml', 'json')", F=wants, M=message)
    )
    emit.do(
        f"F(x, MESSAGE, KIND, {always}, {accept}, ARRAYS)",
        F=convert,
        MESSAGE=message,
        KIND=chosen(kind, "kind", _KINDS),
        ARRAYS=emit.flag(use, arrays),
    )


ELEMENT = Element(
    "xml-to-json",
    "Makes JSON of an XML body: of the request in inbound, else of the response.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        Attribute(
            "kind",
            "`direct` keeps the structure: attributes are @name, text beside them is #text. `javascript-friendly` has plain names.",
            required=True,
            values=_KINDS,
        ),
        Attribute(
            "apply",
            "`always`, or only where the message's Content-Type says XML.",
            required=True,
            values=_APPLY,
        ),
        Attribute(
            "consider-accept-header",
            "true: only where the caller's Accept header asks for JSON.",
            "bool",
            default="true",
        ),
        Attribute(_ARRAYS[0], "true: child elements are always arrays.", "bool", default="false"),
        Attribute(_ARRAYS[1], "Another name of the same.", "bool", default="false"),
    ),
)
