"""`json-to-xml`: a JSON body as XML."""

from __future__ import annotations

from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Exchange, RequestState, ResponseState
from aforo.policy.running import new_body, word
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element
from aforo.policy.xml_json import NotConverted, XmlOptions, to_xml, wants

_APPLY = frozenset(("always", "content-type-json"))


def convert(
    exchange: Exchange, message: RequestState | ResponseState, always: bool, accept: bool, options: XmlOptions
) -> None:
    """ConversionFailed for a body that is no JSON."""
    data = message.body.data or b""
    if not data.strip() or not wants(exchange, message, always, accept, "json", "xml"):
        return
    new_body(message, NotConverted.guard("json-to-xml", lambda: to_xml(data, options)))
    message.headers.set(b"content-type", b"application/xml")


def options(
    parse_date: bool, separator: str | None, prefix: str | None, attributes: str | None
) -> XmlOptions:
    return XmlOptions(parse_date, separator or "", prefix or "", attributes or "")


def write(use: Use, emit: Emitter) -> None:
    apply = emit.value(use, "apply")
    names = ("namespace-separator", "namespace-prefix", "attribute-block-name")
    texts = [emit.value(use, n) for n in names]
    flags = [emit.value(use, n) for n in ("consider-accept-header", "parse-date")]
    if apply is None:
        return
    emit.site(use, apply, *texts, *flags)
    chosen = (
        emit.expr("A", A=apply.const.strip().lower())
        if apply.const is not None
        else emit.expr("F(V, 'apply', W)", F=word, V=apply, W=_APPLY)
    )
    separator, prefix, attributes = (v.code if v is not None else emit.expr("None") for v in texts)
    always, accept = emit.local("always"), emit.local("accept")
    emit.do(f"{always} = APPLY == 'always'", APPLY=chosen)
    emit.do(f"{accept} = ACCEPT", ACCEPT=emit.flag(use, "consider-accept-header"))
    message = emit.message_body(
        lambda message: emit.expr(f"F(x, M, {always}, {accept}, 'json', 'xml')", F=wants, M=message)
    )
    emit.do(
        f"F(x, MESSAGE, {always}, {accept}, OPTIONS(DATES, SEPARATOR, PREFIX, ATTRIBUTES))",
        F=convert,
        MESSAGE=message,
        OPTIONS=options,
        DATES=emit.flag(use, "parse-date"),
        SEPARATOR=separator,
        PREFIX=prefix,
        ATTRIBUTES=attributes,
    )


ELEMENT = Element(
    "json-to-xml",
    "Makes XML of a JSON body, under an element `Document`: of the request in inbound, else of the response.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        Attribute(
            "apply",
            "`always`, or only where the message's Content-Type says JSON.",
            required=True,
            values=("always", "content-type-json"),
        ),
        Attribute(
            "consider-accept-header",
            "true: only where the caller's Accept header asks for XML.",
            "bool",
            default="true",
        ),
        Attribute("parse-date", "false copies dates as they are.", "bool", default="true"),
        Attribute("namespace-separator", "Stands in names for the colon of a prefix.", default="_"),
        Attribute("namespace-prefix", "Properties whose names begin so declare namespaces; mostly `xmlns`."),
        Attribute("attribute-block-name", "The object whose properties become attributes."),
    ),
)
