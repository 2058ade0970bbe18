"""`set-body`: the body of the request (inbound, backend) or of the response."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.pipeline import Effects
from aforo.policy.running import body_bytes, new_body
from aforo.policy.spec import Attribute, Element, Text


def write(use: Use, emit: Emitter) -> None:
    if "template" in use.attributes:
        template = emit.value(use, "template")
        if template is None:
            return
        if (template.const or "").strip().lower() == "liquid":
            write_template(use, emit)
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


def write_template(use: Use, emit: Emitter) -> None:
    """A Liquid template, compiled here and now: what is wrong with it is said before any call."""
    engine = _engine()
    if engine is None:
        emit.report(say.needs_liquid(use.attributes["template"].whole))
        return
    text = use.text.text if use.text is not None else ""
    try:
        template = engine.compile_template(text)
    except engine.WrongTemplate as wrong:
        assert use.text is not None
        at = min(wrong.at, len(text))
        place = use.text.span(at, min(len(text), at + max(1, wrong.size)))
        emit.report(say.wrong_template(place, str(wrong)))
        return
    nil, dates = emit.value(use, "xsi-nil"), emit.value(use, "parse-date")
    if nil is None or dates is None:
        return
    # A template may look at the body, at headers and at variables: whatever is secret there, may be in its output.
    secret = use.text is not None and use.text.secret
    reads = frozenset((None, "request-body", "response-body"))
    emit.site(use, replace(emit.constant("", use.span), secret=secret, reads=reads))
    own = emit.message in ("x.request", "answer(x)")
    emit.do(
        "F(x, MESSAGE, TEMPLATE, OWN, NIL, DATES)",
        F=engine.render,
        MESSAGE=emit.message_body() if own else emit.expr(emit.message),
        TEMPLATE=template,
        OWN=own,
        NIL=(nil.const or "").strip().lower() == "null",
        DATES=(dates.const or "").strip().lower() == "true",
    )


def _engine() -> Any:
    """The module with the template engine, which is an extra; None where that is not installed."""
    try:
        from aforo.policy.liquid import templates as liquid_templates
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "aforo":
            raise
        return None
    return liquid_templates


ELEMENT = Element(
    "set-body",
    "Replaces the body: of the request in inbound and backend, of the response in outbound and on-error.",
    write,
    attributes=(
        Attribute(
            "template", "`liquid`: the text is a template.", expressions=False, values=("liquid", "none")
        ),
        Attribute(
            "xsi-nil",
            "What an element with `xsi:nil` is in a template: an empty text (`blank`) or nothing (`null`).",
            expressions=False,
            default="blank",
            values=("blank", "null"),
        ),
        Attribute(
            "parse-date",
            "Whether texts of a JSON body that look like dates are dates in a template, written as .NET writes them.",
            "bool",
            expressions=False,
            default="true",
        ),
    ),
    text=Text("The new body; markup is text.", markup=True),
)
