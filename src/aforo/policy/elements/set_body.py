"""`set-body`: the body of the request (inbound, backend) or of the response."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.pipeline import Effects
from aforo.policy.running import body_bytes, new_body
from aforo.policy.spec import Attribute, Element, Text


def write(use: Use, emit: Emitter) -> None:
    if "template" in use.attributes:
        emit.report(say.unsupported(use.attributes["template"].whole, "`template` (Liquid)"))
        return
    for name in ("xsi-nil", "parse-date"):
        if name in use.attributes:
            emit.report(
                say.unsupported(use.attributes[name].whole, f"`{name}`, which belongs to Liquid templates,")
            )
            return
    declared = use.spec.text
    value = None
    if use.text is not None and declared is not None:
        value = emit.compile(use.text, declared, use.name, "object")
        if value is None:
            return
    emit.site(use, value)
    request = emit.message == "x.request"
    if request:
        emit.facts.effects |= Effects(writes_request_body=True)
    elif emit.message == "answer(x)":
        emit.writes_response()
    message = emit.expr(emit.message)
    if value is None:
        emit.do("F(MESSAGE, b'')", F=new_body, MESSAGE=message)
    elif value.const is not None and not value.secret:
        emit.do("F(MESSAGE, DATA)", F=new_body, MESSAGE=message, DATA=body_bytes(value.const))
    else:
        emit.do("F(MESSAGE, BYTES(VALUE))", F=new_body, MESSAGE=message, BYTES=body_bytes, VALUE=value)


ELEMENT = Element(
    "set-body",
    "Replaces the body: of the request in inbound and backend, of the response in outbound and on-error.",
    write,
    attributes=(
        Attribute("template", "`liquid`: the text is a template.", expressions=False, values=("liquid",)),
        Attribute("xsi-nil", "How a template treats xsi:nil.", expressions=False, values=("blank", "null")),
        Attribute("parse-date", "Whether a template reads dates.", "bool", expressions=False),
    ),
    text=Text("The new body; markup is text.", markup=True),
)
