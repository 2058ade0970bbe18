"""`set-method`: the method of the request to the backend."""

from __future__ import annotations

from aforo.policy import diagnostics as say
from aforo.policy.emit import Emitter, Use
from aforo.policy.running import method_name
from aforo.policy.scopes import Section
from aforo.policy.spec import Element, Text


def write(use: Use, emit: Emitter) -> None:
    value = emit.text(use)
    if value is None:
        return
    if value.const is not None:
        name = value.const.strip()
        if not name.isascii() or not name.isalpha():
            emit.report(say.bad_value(value.span, "set-method", "the name of an HTTP method"))
            return
        emit.site(use, value)
        emit.do("x.request.use_method(NAME)", NAME=name.upper())
        return
    emit.site(use, value)
    emit.do("x.request.use_method(F(VALUE))", F=method_name, VALUE=value)


ELEMENT = Element(
    "set-method",
    "Sets the method of the request to the backend.",
    write,
    sections=frozenset((Section.INBOUND, Section.ON_ERROR)),
    text=Text("The method's name.", "name", required=True),
)
