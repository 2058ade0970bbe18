"""`mock-response`: answers with an example of the operation's, without a backend."""

from __future__ import annotations

from http import HTTPStatus

from aforo.messages import Headers
from aforo.policy.emit import Emitter, Use
from aforo.policy.exchange import Body, Exchange, ResponseState
from aforo.policy.scopes import Section
from aforo.policy.spec import Attribute, Element
from aforo.policy.subject import Example


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def mocked(exchange: Exchange, status: int, content_type: str | None, index: int) -> ResponseState:
    """The example of that status and media type; without a media type the first one's; else nothing."""
    wanted = (content_type or "").strip()
    known = exchange.operation.examples if exchange.operation is not None else ()
    found = [e for e in known if e.status == status and (not wanted or _same(e, wanted))]
    if found and not wanted:
        found = [e for e in found if e.content_type == found[0].content_type]
    headers = Headers()
    body = b""
    if found:
        chosen = found[index] if index < len(found) else found[0]
        body = chosen.body.encode()
        wanted = wanted or chosen.content_type
    if wanted:
        headers.set(b"content-type", "".join(c for c in wanted if c.isprintable()).encode())
    return ResponseState(status, _reason(status), headers, Body(body))


def _same(example: Example, wanted: str) -> bool:
    return example.content_type.partition(";")[0].strip().lower() == wanted.partition(";")[0].strip().lower()


def write(use: Use, emit: Emitter) -> None:
    status, content_type, index = (emit.value(use, n) for n in ("status-code", "content-type", "index"))
    if status is None or index is None:
        return
    emit.site(use, status, content_type, index)
    emit.do(
        "x.response = F(x, STATUS, TYPE, INDEX)",
        F=mocked,
        STATUS=emit.number(status, "status-code", 200, 999),
        TYPE=content_type.code if content_type is not None else emit.expr("None"),
        INDEX=emit.number(index, "index", 0, 1000),
    )
    emit.do("raise Returned()")


ELEMENT = Element(
    "mock-response",
    "Ends the pipeline and answers with an example of the operation's response, else with a sample of its schema, else with nothing.",
    write,
    sections=frozenset((Section.INBOUND, Section.OUTBOUND, Section.ON_ERROR)),
    attributes=(
        Attribute("status-code", "The status code; it picks the response.", "int", default="200"),
        Attribute("content-type", "The media type; it picks the example. The first one's without it."),
        Attribute("index", "Which of several examples, from 0.", "int", default="0"),
    ),
)
